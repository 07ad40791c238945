# Sends requests, directly or through curl, and takes responses apart.

package Test::Nginx::Standin::Client;

use strict;
use warnings;

use base 'Exporter';

use Errno qw( EAGAIN EINTR );
use File::Temp ();
use IO::Select ();
use IO::Socket::INET ();
use POSIX ();
use Socket qw( IPPROTO_TCP TCP_NODELAY );
use Test::More ();
use Time::HiRes qw( sleep time );

use Test::Nginx::Standin::Settings qw( %set section parse_time html_dir );
use Test::Nginx::Standin::Server qw( bail_out );

our @EXPORT_OK = qw( send_request parse_response curl_command shell_words );


sub send_request {
    my ($block, $pieces) = @_;

    my $timeout = timeout_of($block);

    return by_curl($block, $pieces) if defined section($block, 'http2');

    my $sock = connect_to($block, $timeout) or return '';

    return exchange($block, $sock, $pieces, $timeout);
}


# what is given for a block holds where nginx runs as it is

sub timeout_of {
    my $block = shift;

    my $timeout = parse_time(section($block, 'timeout'))
        // return $set{timeout};

    return $set{valgrind} ? 20 * $timeout : $timeout;
}


sub connect_to {
    my ($block, $timeout) = @_;

    my $addr = section($block, 'server_addr_for_client') // $set{addr};
    my $until = time + 10;

    do {
        my $sock = IO::Socket::INET->new(PeerAddr => $addr,
                                         PeerPort => $set{client_port},
                                         Proto => 'tcp',
                                         Timeout => $timeout);
        if ($sock) {
            # pieces are to arrive as pieces
            setsockopt $sock, IPPROTO_TCP, TCP_NODELAY, 1;
            $sock->blocking(0);
            return $sock;
        }

        sleep 0.05;
    } while (time < $until);

    extra_failure($block, "cannot connect to $addr:$set{client_port}: $!");
    return undef;
}


# Reads and writes at once: a response may come before the request has gone.

sub exchange {
    my ($block, $sock, $pieces, $timeout) = @_;

    local $SIG{PIPE} = 'IGNORE';

    my @rest = @$pieces;
    my $out = (shift @rest)->{value};
    my $middle_delay = parse_time(section($block, 'raw_request_middle_delay'));
    my $response = '';

    my $reading = IO::Select->new($sock);
    my $writing = IO::Select->new($sock);

    while (1) {
        my ($readable, $writable) =
            IO::Select->select($reading, $writing, undef, $timeout);

        if (!defined $readable) {
            next if $! == EINTR;
            timed_out($block);
            last;
        }

        if (@$readable) {
            my $n = sysread $sock, $response, 65536, length $response;

            last if defined $n && $n == 0;

            if (!defined $n && $! != EAGAIN && $! != EINTR) {
                warn 'WARNING: ', $block->name, " - reading failed: $!\n";
                last;
            }
        }

        next if !@$writable;

        if (length $out) {
            my $n = syswrite $sock, $out;

            if (defined $n) {
                substr $out, 0, $n, '';

            } elsif ($! != EAGAIN && $! != EINTR) {
                # what was answered so far can still be read
                warn 'WARNING: ', $block->name, " - writing failed: $!\n";
                $writing->remove($sock);
                next;
            }
        }

        next if length $out;

        if (my $next = shift @rest) {
            my $delay = $next->{delay_before} // $middle_delay;
            sleep $delay if $delay;
            $out = $next->{value};
            next;
        }

        $writing->remove($sock);

        my $half = section($block, 'shutdown');
        shutdown $sock, $half =~ /\A\s*\z/ ? 1 : $half if defined $half;
    }

    close $sock;
    return $response;
}


sub timed_out {
    my $block = shift;

    return if defined section($block, 'abort');

    extra_failure($block, 'ERROR: client socket timed out');
}


sub extra_failure {
    my ($block, $what) = @_;

    Test::More->builder->no_ending(1);
    Test::More::fail($block->name . " - $what");
    return;
}


# HTTP/2 goes through curl

sub by_curl {
    my ($block, $pieces) = @_;

    my $name = $block->name;

    for my $bad (qw( raw_request pipelined_requests )) {
        bail_out("$name - no $bad with http2") if section($block, $bad);
    }

    my @cmd = curl_command($block, $pieces);
    my $err = File::Temp->new;

    my $pid = open my $pipe, '-|';
    bail_out("$name - cannot fork: $!") if !defined $pid;

    if ($pid == 0) {
        open STDIN, '<', '/dev/null';
        open STDERR, '>', $err->filename;
        exec { $cmd[0] } @cmd or POSIX::_exit(127);
    }

    binmode $pipe;
    my $out = do { local $/; <$pipe> } // '';
    close $pipe;

    my $message = do { local $/; <$err> } // '';

    if ($out eq '') {
        my $expected = section($block, 'curl_error');

        return '' if $message ne '' && defined $expected
                     && $message =~ (ref $expected ? $expected
                                                   : qr/\Q$expected\E/);

        extra_failure($block, "curl failed: $message (@cmd)");
        return '';
    }

    warn "WARNING: $name - curl said: $message" if $message ne '';
    return $out;
}


sub curl_command {
    my ($block, $pieces) = @_;

    my $request = join '', map { $_->{value} } @$pieces;

    $request =~ m{\A\s*(\S+)\s+(\S+)\s+HTTP/(\S+)\r?\n(.*?)\r?\n\r?\n(.*)\z}s
        or bail_out($block->name, ' - no request for curl: ', $request);
    my ($method, $uri, $version, $head, $body) = ($1, $2, $3, $4, $5);
    my @headers = grep { !/\AConnection\s*:/i } split /\r\n/, $head;

    # without what curl would add of its own
    my @cmd = qw( curl -i -sS -H User-Agent: -H Accept: -H Host: );

    push @cmd, '--http2-prior-knowledge' if defined section($block, 'http2');
    push @cmd, $method eq 'HEAD' ? '-I' : ('-X', $method)
        if $method ne 'GET';
    push @cmd, '-0' if $version ne '1.1';
    push @cmd, '-H', $_ for @headers;

    if ($body ne '') {
        push @cmd, '-H', 'Content-Type: '
            if !grep { /\A\s*Content-Type\s*:/i } @headers;

        my $file = html_dir() . '/curl.data.bin';
        open my $out, '>', $file or bail_out("cannot write $file: $!");
        binmode $out;
        print $out $body;
        close $out;
        push @cmd, '--data-binary', "\@$file";
    }

    my $timeout = timeout_of($block);
    push @cmd, '--connect-timeout', $timeout, '--max-time', $timeout;

    # one argument: that is how the real module hands it over
    my $options = section($block, 'curl_options');
    push @cmd, $options if defined $options;

    my $scheme = section($block, 'curl_protocol') // 'http';
    my $addr = section($block, 'server_addr_for_client') // $set{addr};

    return (@cmd, "$scheme://$addr:$set{client_port}$uri");
}


sub shell_words {
    return join ' ', map {
        my $word = $_;
        $word =~ s/'/'\\''/g;
        $word =~ m{[^-\w./:=\@%+,]} || $word eq '' ? "'$word'" : $word;
    } @_;
}


# { code, content, raw_headers, headers => { name => [values] } } and what
# follows the response.  A code that is no number counts as none.

sub parse_response {
    my ($block, $raw, $is_head) = @_;

    my $name = $block->name;
    my %res = (raw_headers => '', headers => {}, content => '');

    my $head = $raw;
    if ($raw =~ /\A(.*?\r?\n)\r?\n(.*)\z/s) {
        ($head, $res{content}) = ($1, $2);
        $res{raw_headers} = $head;
    }

    my ($status, @lines) = split /\r?\n/, $head;
    $res{code} = $1 if ($status // '') =~ m{\AHTTP/\S+ +(\d{3})(?:\s|\z)};

    for (@lines) {
        push @{ $res{headers}{lc $1} }, $2 if /\A([^:\s]+)\s*:\s*(.*?)\s*\z/;
    }

    return (\%res, undef)
        if !defined $res{code} || $res{code} == 304 || $res{code} == 101;

    my $coding = header(\%res, 'transfer-encoding') // '';
    my $length = header(\%res, 'content-length');
    my $left;

    if ($coding eq 'chunked') {
        ($res{content}, $left) = unchunk($block, $res{content});

    } elsif (defined $length && $length =~ /\A\d+\z/) {
        my $got = length $res{content};

        if ($got > $length) {
            $left = substr $res{content}, $length;
            $res{content} = substr $res{content}, 0, $length;

        } elsif ($got < $length && !$is_head) {
            warn "WARNING: $name - response body truncated: $length expected,"
                 . " but got $got\n";
        }
    }

    return (\%res, $left);
}


sub header {
    my ($res, $name) = @_;

    my $values = $res->{headers}{lc $name};

    return defined $values ? join(', ', @$values) : undef;
}


sub unchunk {
    my ($block, $raw) = @_;

    my $body = '';

    while ($raw =~ /\G[ \t]*([0-9a-fA-F]+)[ \t]*(?:;[^\r\n]*)?\r\n/gc) {
        my $size = hex $1;

        if ($size == 0) {
            # trailers, then the empty line
            if ($raw =~ /\G(?:[^\r\n]+\r\n)*\r\n/gc) {
                my $left = substr $raw, pos $raw;
                return ($body, length $left ? $left : undef);
            }
            last;
        }

        my $at = pos $raw;
        last if length($raw) < $at + $size + 2
                || substr($raw, $at + $size, 2) ne "\r\n";

        $body .= substr $raw, $at, $size;
        pos($raw) = $at + $size + 2;
    }

    extra_failure($block, 'invalid or cut chunked body');
    return ($body, undef);
}

1;

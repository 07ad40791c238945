# An upstream in Perl for the suites: an HTTP server that answers by a table
# of handlers and keeps what it was sent, so that a later request can ask.
#
#     use Envelope::Upstream;
#
#     my $port = start_upstream(
#         '/slow' => sub { my $request = shift; ("HTTP/1.1 200 OK..", 0.5, ..) },
#     );
#
# A handler gets { method, uri, head, body, n } and returns what is sent:
# strings are bytes, numbers seconds to wait, RESET tears the connection
# down.  The connection is closed behind an answer, unless the handler's list
# ends with KEEP.
#
# Without a handler of its own: /raw answers with the request as it came,
# /echo with its body, /decoded with what is in its {"data": base64}, and
# /seen/NAME with the bodies that came to /NAME, each on a line behind the
# number of them.  /h2?port=PORT&uri=URI sends the body on over HTTP/2, as
# Test::Nginx itself cannot to every version of nginx, and answers with what
# came of it; with "&stream" the request has no length.
#
# Connections are forked, so the port is all that a suite has to know; it is
# in $TEST_NGINX_UPSTREAM_PORT too.

package Envelope::Upstream;

use v5.10.1;
use strict;
use warnings;

use base 'Exporter';

use Fcntl qw( :flock );
use File::Temp ();
use IO::Socket::INET ();
use MIME::Base64 qw( decode_base64 );
use POSIX ();
use Socket qw( SOL_SOCKET SO_LINGER );
use Time::HiRes qw( sleep );

use constant RESET => \'reset';
use constant KEEP => \'keep';

our @EXPORT = qw( start_upstream start_server answer http_ok RESET KEEP );

my @children;
my $owner = $$;
my $dir;


sub start_upstream {
    my %handlers = @_;

    $dir //= File::Temp->newdir;

    my $port = start_server(sub { http(shift, \%handlers) });

    $ENV{TEST_NGINX_UPSTREAM_PORT} //= $port;

    return $port;
}


# Any protocol: "serve" is called in a process of its own for a connection.

sub start_server {
    my $serve = shift;

    my $sock = IO::Socket::INET->new(LocalHost => '127.0.0.1',
                                     Proto => 'tcp', Listen => 64,
                                     ReuseAddr => 1)
        or die "cannot listen: $!";
    my $port = $sock->sockport;

    my $pid = fork() // die "cannot fork: $!";

    if ($pid) {
        push @children, $pid;
        close $sock;
        return $port;
    }

    local $SIG{CHLD} = 'IGNORE';
    local $SIG{PIPE} = 'IGNORE';
    local $SIG{TERM} = sub { POSIX::_exit(0) };

    while (1) {
        my $client = $sock->accept or next;

        if (fork() == 0) {
            close $sock;
            eval { $serve->($client); 1 } or warn "upstream: $@";
            POSIX::_exit(0);
        }

        close $client;

        # whoever started us may have died
        POSIX::_exit(0) if getppid() == 1;
    }
}

END {
    if ($$ == $owner) {
        local $?;
        kill 'TERM', @children;
        waitpid $_, 0 for @children;
    }
}


sub http {
    my ($client, $handlers) = @_;

    while (my $request = read_request($client)) {
        my ($path) = $request->{uri} =~ m{\A([^?]*)};

        $request->{n} = keep($path, $request->{body})
            if $path !~ m{\A/seen/};

        my $handler = $handlers->{$path};
        my @answer = $handler ? $handler->($request)
                              : builtin($path, $request);

        return if !answer($client, @answer);
    }
}


# returns whether the connection stays

sub answer {
    my ($client, @pieces) = @_;

    for my $piece (@pieces) {

        if (ref $piece) {
            return 1 if $piece == KEEP;
            setsockopt $client, SOL_SOCKET, SO_LINGER, pack('ii', 1, 0);
            close $client;
            return 0;
        }

        if ($piece =~ /\A\d*\.?\d+\z/) {
            sleep $piece;
            next;
        }

        while (length $piece) {
            my $n = syswrite $client, $piece;
            return 0 if !defined $n;
            substr $piece, 0, $n, '';
        }
    }

    return 0;
}


sub read_request {
    my $client = shift;

    my $buf = '';

    until ($buf =~ /\r\n\r\n/) {
        sysread $client, $buf, 65536, length $buf or return undef;
    }

    $buf =~ s/\A(.*?\r\n)\r\n//s;
    my $head = $1;
    my $body = '';

    if ($head =~ /^Transfer-Encoding:\s*chunked/mi) {

        until ($buf =~ /\G([0-9a-f]+)\r\n/gci) {
            sysread $client, $buf, 65536, length $buf or return undef;
        }

        # good enough for what nginx sends
        until ($buf =~ /(?:\A|\r\n)0\r\n\r\n\z/) {
            sysread $client, $buf, 65536, length $buf or last;
        }

        pos($buf) = 0;
        while ($buf =~ /\G([0-9a-f]+)\r\n/gci) {
            my $size = hex $1;
            $body .= substr $buf, pos $buf, $size;
            pos($buf) = pos($buf) + $size + 2;
            last if $size == 0;
        }

    } elsif ($head =~ /^Content-Length:\s*(\d+)/mi) {
        my $length = $1;

        while (length $buf < $length) {
            sysread $client, $buf, 65536, length $buf or return undef;
        }

        $body = $buf;
    }

    my ($method, $uri) = $head =~ /\A(\S+) (\S+)/;

    return { method => $method, uri => $uri, head => $head, body => $body };
}


sub http_ok {
    my ($body, $more) = @_;

    return "HTTP/1.1 200 OK\r\nContent-Length: " . length($body) . "\r\n"
           . ($more // '') . "Connection: close\r\n\r\n" . $body;
}


sub builtin {
    my ($path, $request) = @_;

    return http_ok($request->{head} . "\r\n" . $request->{body},
                   "Content-Type: text/plain\r\n")
        if $path eq '/raw';

    return http_ok($request->{body}, "Content-Type: application/json\r\n")
        if $path eq '/echo';

    if ($path eq '/decoded') {
        my ($data) = $request->{body} =~ /\A\{"data":"([^"]*)"\}\z/;
        return http_ok(defined $data ? decode_base64($data)
                                     : "not sealed: $request->{body}",
                       "Content-Type: text/plain\r\n");
    }

    return http_ok(over_http2($request), "Content-Type: text/plain\r\n")
        if $path eq '/h2';

    return http_ok(kept("/$1"), "Content-Type: text/plain\r\n")
        if $path =~ m{\A/seen/(.*)};

    return "HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n"
           . "Connection: close\r\n\r\n";
}


sub over_http2 {
    my $request = shift;

    my ($port) = $request->{uri} =~ /port=(\d+)/;
    my ($uri) = $request->{uri} =~ /uri=([^&]+)/;
    my $file = "$dir/h2.$$";

    open my $copy, '>', $file or die "$file: $!";
    binmode $copy;
    print $copy $request->{body};
    close $copy;

    # "-T -" does not know how much will come
    my $stream = $request->{uri} =~ /&stream/;
    my @data = $stream                   ? ('-T', '-')
             : length $request->{body}   ? ('--data-binary', "\@$file") : ();

    my @curl = (qw( curl -i -sS --max-time 5 --http2-prior-knowledge -X ),
                $request->{method}, '-H', 'Content-Type:', '-H', 'Expect:',
                @data, "http://127.0.0.1:$port$uri");

    my $pid = open(my $pipe, '-|') // die "cannot fork: $!";

    if ($pid == 0) {
        open STDIN, '<', $file;
        open STDERR, '>&', \*STDOUT;
        exec { $curl[0] } @curl or POSIX::_exit(127);
    }

    binmode $pipe;
    local $/;
    my $out = <$pipe>;
    close $pipe;

    return $out;
}


sub file_of {
    my $path = shift;

    $path =~ s/(\W)/sprintf '_%02x', ord $1/ge;

    return "$dir/$path";
}

# returns how many there are by now

sub keep {
    my ($path, $body) = @_;

    open my $file, '+>>', file_of($path) or die "$path: $!";
    binmode $file;
    flock $file, LOCK_EX;
    seek $file, 0, 0;
    my $n = () = <$file>;

    $body =~ s/\n/\\n/g;
    print $file "$body\n";
    close $file;

    return $n + 1;
}

sub kept {
    my $path = shift;

    open my $file, '<', file_of($path) or return "0\n";
    binmode $file;
    my @lines = <$file>;

    return @lines . "\n" . join '', @lines;
}

1;

# tcp_listen: a peer that takes one connection, reads, answers and leaves.

package Test::Nginx::Standin::Peer;

use strict;
use warnings;

use base 'Exporter';

use File::Temp ();
use IO::Select ();
use IO::Socket::INET ();
use IO::Socket::UNIX ();
use POSIX ();
use Socket qw( SOCK_STREAM MSG_NOSIGNAL );
use Test::More ();
use Time::HiRes qw( sleep time );

use Test::Nginx::Standin::Settings qw( %set section expand_env parse_time );
use Test::Nginx::Standin::Server qw( bail_out stop_process );

our @EXPORT_OK = qw( start_peer stop_peer check_peer );


sub start_peer {
    my ($block, $ports) = @_;

    my $name = $block->name;
    my $target = section($block, 'tcp_listen');

    return undef if !defined $target;

    bail_out("$name - tcp_listen needs tcp_reply")
        if !defined section($block, 'tcp_reply')
           && !defined section($block, 'tcp_shutdown');

    $target = expand_env($target, $name, $ports);
    $target =~ s/\A\s+|\s+\z//g;

    my $want = section($block, 'tcp_query_len');
    my $query = section($block, 'tcp_query');
    $want = length $query if !defined $want && defined $query;

    my $peer = { name => $name, sock => listen_on($name, $target) };
    $peer->{path} = $target if $target =~ m{/};

    # closed right away: the child writes it, under a name of its own
    $peer->{seen} = File::Temp::tmpnam() if defined $want;

    $peer->{pid} = fork() // bail_out("$name - cannot fork: $!");

    if ($peer->{pid} == 0) {
        # no END blocks, no TAP from here; warnings do reach the screen
        eval { serve($block, $peer, $want); 1 } or warn "$name - peer: $@";
        POSIX::_exit(0);
    }

    return $peer;
}


sub listen_on {
    my ($name, $target) = @_;

    my $until = time + 10;
    my $sock;

    do {
        if ($target =~ /\A\d+\z/) {
            $sock = IO::Socket::INET->new(LocalHost => '127.0.0.1',
                                          LocalPort => $target,
                                          Proto => 'tcp', Listen => 5,
                                          ReuseAddr => 1);
        } elsif ($target =~ /\S\.sock\z/) {
            unlink $target;
            $sock = IO::Socket::UNIX->new(Local => $target, Listen => 5,
                                          Type => SOCK_STREAM);
        } else {
            bail_out("$name - bad tcp_listen: $target");
        }

        return $sock if $sock;
        sleep 0.2;
    } while (time < $until);

    bail_out("$name - cannot listen on $target: $!");
}


sub serve {
    my ($block, $peer, $want) = @_;

    local $SIG{PIPE} = 'IGNORE';

    my $client;
    until ($client = $peer->{sock}->accept) {
        sleep 0.01;
    }

    my $shutdown = section($block, 'tcp_shutdown');
    my $may_read = 1;
    my $may_write = 1;

    if (defined $shutdown) {
        my $delay = section($block, 'tcp_shutdown_delay');
        sleep $delay if $delay;
        $client->shutdown($shutdown);

        $may_read = 0 if $shutdown == 0 || $shutdown == 2;
        $may_write = 0 if $shutdown != 0;
    }

    my $buf = '';
    $buf = read_query($block, $peer, $client, $want) if $may_read;

    my $delay = parse_time(section($block, 'tcp_reply_delay'));
    sleep $delay if $delay;

    if ($may_write) {
        my $reply = section($block, 'tcp_reply');
        $reply = $reply->($buf) if ref $reply eq 'CODE';

        for my $part (ref $reply ? @$reply : $reply) {
            next if !defined $part;
            send_all($client, $part) or last;
        }
    }

    if (defined section($block, 'tcp_no_close')) {
        sleep 1 while 1;
    }

    close $client;
}


# Without tcp_query or tcp_query_len one read has to do.

sub read_query {
    my ($block, $peer, $client, $want) = @_;

    my $idle = section($block, 'tcp_query_auto_timeout');
    my $buf = '';

    while (1) {
        if (defined $idle) {
            my $select = IO::Select->new($client);
            last if !$select->can_read($idle || 0.1);
        }

        my $n = sysread $client, $buf, 65536, length $buf;
        last if !$n;

        keep($peer->{seen}, $buf) if $peer->{seen};

        last if !defined $idle && (!$want || length $buf >= $want);
    }

    return $buf;
}


# renamed into place: whoever reads it finds it whole

sub keep {
    my ($path, $content) = @_;

    open my $out, '>', "$path.tmp" or die "$path.tmp: $!";
    binmode $out;
    print $out $content;
    close $out;
    rename "$path.tmp", $path or die "$path: $!";
}


sub send_all {
    my ($client, $data) = @_;

    while (length $data) {
        my $n = syswrite $client, $data;

        if (!defined $n) {
            warn "WARNING: the tcp peer cannot send: $!\n";
            return 0;
        }

        substr $data, 0, $n, '';
    }

    return 1;
}


sub check_peer {
    my ($block, $peer) = @_;

    return if !$peer || !$peer->{seen};

    my $name = $block->name;
    my $query = section($block, 'tcp_query');
    my $len = section($block, 'tcp_query_len');
    my $want = $len // length $query;

    # the reader is another process: give it a moment
    my $buf = '';
    for (1 .. 20) {
        if (open my $in, '<', $peer->{seen}) {
            binmode $in;
            local $/;
            $buf = <$in> // '';
        }
        last if length $buf >= $want;
        sleep 0.01;
    }

    Test::Nginx::Standin::Check::is_str($buf, $query, "$name - tcp_query ok")
        if defined $query;

    Test::More::is(length $buf, $len, "$name - TCP query length ok")
        if defined $len;
}


sub stop_peer {
    my $peer = shift or return;

    stop_process($peer->{pid}, 'KILL', $peer->{name});
    close $peer->{sock};
    unlink $peer->{path} if $peer->{path};
    unlink $peer->{seen}, "$peer->{seen}.tmp" if $peer->{seen};
}

1;

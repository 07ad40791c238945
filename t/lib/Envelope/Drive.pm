# What it takes to drive the nginx of a block by hand: requests one by one or
# all at once, its log, its processes.
#
#     use Envelope::Drive;
#
#     add_response_body_check(sub { drive(shift) });
#
# "--- drive: NAME" runs main::NAME, which dies with what is wrong; that is
# one test of the block.

package Envelope::Drive;

use v5.10.1;
use strict;
use warnings;

use base 'Exporter';

use Errno qw( EINTR );
use IO::Select ();
use IO::Socket::INET ();
use Time::HiRes qw( sleep time );

use Envelope::Upstream;

our @EXPORT = qw( drive check ask ask_at_once kept_by logged wait_for
                  worker_pids kill_worker reload conf_file );


my ($log_start, $root);

sub drive {
    my $block = shift;

    my ($name, @arguments) = split ' ', $block->drive;

    $root = Test::Nginx::Socket::html_dir() =~ s{/html\z}{}r;
    $log_start = -s "$root/logs/error.log";

    my $ok = eval { no strict 'refs'; &{"main::$name"}(@arguments); 1 };

    Test::More::diag($@) if !$ok;
    Test::More::ok($ok, $block->name . ' - driven');
}

sub check {
    my ($true, $why) = @_;

    return if $true;

    my (undef, undef, $line) = caller;
    die "line $line: $why\n";
}


# The answer to a raw request: { status, head, body }, the status 0 if there
# was none.  Its head is without the date.

sub ask { (ask_at_once(shift))[0] }

# many of them, each on a connection of its own, all of them connected before
# the first byte is sent

sub ask_at_once {
    my @raw = @_;

    my $port = Test::Nginx::Socket::server_port_for_client();
    my @socks = map { connected($port) } @raw;
    my %text;

    syswrite $socks[$_], $raw[$_] for 0 .. $#socks;

    my $select = IO::Select->new(@socks);
    my $until = time + 30;

    while ($select->count && time < $until) {

        for my $sock ($select->can_read(1)) {
            my $n = sysread $sock, $text{$sock}, 65536,
                            length($text{$sock} //= '');
            $select->remove($sock) if !$n;
        }
    }

    return map { answer_of($text{$_} // '') } @socks;
}

sub connected {
    my $port = shift;

    # workers that are killed take connections with them
    for (1 .. 100) {
        my $sock = IO::Socket::INET->new(PeerAddr => '127.0.0.1',
                                         PeerPort => $port);
        return $sock if $sock;
        sleep 0.02;
    }

    die "cannot connect: $!\n";
}

sub answer_of {
    my ($head, $body) = split /\r\n\r\n/, shift, 2;

    my ($status) = ($head // '') =~ m{\AHTTP/1\.1 (\d+)};
    my $all = ($head // '') =~ s/^Date: .*\r\n//mr;

    return { status => $status // 0, head => $all, body => $body // '' };
}


# the bodies that the upstream has got at that path

sub kept_by {
    my (undef, @lines) = split /\n/, Envelope::Upstream::kept(shift);

    return @lines;
}


# what the error log has got since the scenario began

sub logged {
    open my $in, '<', "$root/logs/error.log" or die "error.log: $!";
    seek $in, $log_start, 0;

    local $/;
    return scalar(<$in>) // '';
}

sub wait_for {
    my ($what, $code, $seconds) = @_;

    my $until = time + ($seconds // 10);

    while (time < $until) {
        return if $code->();
        sleep 0.02;
    }

    die "$what: not in time\n";
}


# processes

sub master_pid {
    open my $in, '<', "$root/logs/nginx.pid" or die "nginx.pid: $!";
    return 0 + <$in>;
}

sub worker_pids {
    my $master = master_pid();
    my @found;

    for my $path (glob '/proc/[0-9]*/stat') {
        open my $in, '<', $path or next;
        my $text = <$in> // next;
        my ($state, $parent) = $text =~ /.*\) (\S) (\d+)/s or next;
        push @found, $path =~ /(\d+)/ if $parent == $master && $state ne 'Z';
    }

    return @found;
}

# as a crash would: nothing is put in order

sub kill_worker {
    my $pid = shift;

    my $n = worker_pids();

    kill 'KILL', $pid;
    wait_for('another worker', sub {
        my @pids = worker_pids();
        @pids == $n && !grep { $_ == $pid } @pids;
    });
}

sub reload {
    my @before = worker_pids();

    kill 'HUP', master_pid();
    wait_for('new workers', sub {
        my %now = map { $_ => 1 } worker_pids();
        keys %now == @before && !grep { $now{$_} } @before;
    });
}

# the text of nginx.conf; with one, it is what will be

sub conf_file {
    my $text = shift;

    my $path = "$root/conf/nginx.conf";

    open my $file, defined $text ? '>' : '<', $path or die "$path: $!";
    local $/;

    return print $file $text if defined $text;
    return scalar <$file>;
}

1;

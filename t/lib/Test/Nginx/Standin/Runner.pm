# Runs the blocks of a suite, one nginx for each.

package Test::Nginx::Standin::Runner;

use strict;
use warnings;

use base 'Exporter';

use List::Util qw( shuffle );
use Scalar::Util qw( looks_like_number );
use Test::More ();
use Time::HiRes qw( sleep );

use Test::Nginx::Standin::Settings qw(
    %set section expand_env @preprocessors @cleanups @test_cleanups
);
use Test::Nginx::Standin::Server qw(
    bail_out nginx_version openssl_version check_sections prepare_root
    write_user_files write_config start_nginx stop_nginx log_rewind
);
use Test::Nginx::Standin::Request qw( requests_of );
use Test::Nginx::Standin::Client qw(
    send_request parse_response curl_command shell_words
);
use Test::Nginx::Standin::Check qw(
    is_str check_response check_error_log check_access_log check_shutdown_log
);
use Test::Nginx::Standin::Peer qw( start_peer stop_peer check_peer );

our @PUBLIC = qw( run_tests is_str );
our @EXPORT = @PUBLIC;
our @EXPORT_OK = @PUBLIC;

my $owner = $$;
my $previous;           # the block whose nginx runs
my $peer;


sub run_tests () {
    my @blocks = Test::Base::blocks();

    @blocks = shuffle @blocks if !$set{no_shuffle};

    nginx_version();

    $ENV{TEST_NGINX_SERVER_PORT} //= $set{port};

    for my $block (@blocks) {
        $_->($block) for @preprocessors;

        $block->set_value('name', "$0 " . $block->name);

        run_block($block);

        $_->($block) for @test_cleanups;
    }

    cleanup();
}


sub cleanup {
    stop_peer($peer);
    undef $peer;

    finish_previous() if !$set{no_clean};

    $_->() for splice @cleanups;
}

END {
    if ($$ == $owner) {
        local $?;
        cleanup();
    }
}


sub finish_previous {
    return if !$previous;

    my $block = $previous;
    undef $previous;

    stop_nginx($block->name);
    check_shutdown_log($block);
}


sub run_block {
    my $block = shift;

    return if defined section($block, 'SKIP');

    check_sections($block);

    my $name = $block->name;
    my %ports;

    if (my ($count, $reason) = skipped($block)) {
        for (1 .. $set{repeat}) {
            SKIP: {
                Test::More::skip("$name - $reason", $count);
            }
        }
        return;
    }

    local $set{log_level} = section($block, 'log_level') || $set{log_level};

    my $config = expand_env(section($block, 'config'), $name, \%ports);

    if (defined $config) {
        finish_previous();

        prepare_root();
        run_code($block, 'post_setup_server_root');
        write_user_files($block, \%ports);
        write_config($block, $config, \%ports);

        return run_must_die($block, \%ports)
            if defined section($block, 'must_die');

        start($block);
        $previous = $block;
        sleep $set{sleep};

    } elsif (!$previous) {
        bail_out("$name - no config, and no nginx runs");
    }

    run_code($block, 'init');

    for my $i (0 .. $set{repeat} - 1) {
        write_user_files($block, \%ports) if $i > 0;

        $peer = start_peer($block, \%ports);

        run_requests($block, { repeat => $i, ports => \%ports });

        check_peer($block, $peer);
        stop_peer($peer);
        undef $peer;
    }
}


# The port may be held for a moment by what ran before.

sub start {
    my $block = shift;

    my $status;

    for my $try (1 .. 20) {
        $status = start_nginx($block);
        return if $status == 0;

        open my $in, '<', "$set{root}/logs/error.log";
        my $log = $in ? do { local $/; <$in> } : '';
        last if $log !~ /Address already in use/;
        sleep 0.1 * $try;
    }

    bail_out($block->name, " - cannot start nginx (status $status)");
}


sub run_code {
    my ($block, $name) = @_;

    my $code = section($block, $name) or return;

    package main;
    eval $code;
    Test::Nginx::Standin::Server::bail_out($block->name,
                                           " - $name failed: $@") if $@;
}


# A configuration that nginx must refuse.  A number is the exit code that it
# must have.

sub run_must_die {
    my ($block, $ports) = @_;

    my $name = $block->name;
    my $expected = section($block, 'must_die');

    for my $i (0 .. $set{repeat} - 1) {
        my $status = start_nginx($block, quiet => 1);

        if ($status & 127) {
            Test::More::fail("$name - nginx died of signal "
                             . ($status & 127));

        } elsif (looks_like_number($expected)) {
            Test::More::is($status >> 8, $expected,
                           "$name - die with the expected exit code");

        } else {
            Test::More::isnt($status, 0, "$name - die as expected");
        }

        check_error_log($block, { repeat => $i, ports => $ports });

        stop_nginx($name);
    }
}


sub run_requests {
    my ($block, $at) = @_;

    my $requests = requests_of($block, $at->{ports});
    my $pipelined = section($block, 'pipelined_requests');
    my $responses = $pipelined ? @$pipelined : 1;
    my $ignore = defined section($block, 'ignore_response');

    warn '# ', shell_words(curl_command($block, $requests->[0])), "\n"
        if defined section($block, 'curl');

    $at->{many} = $pipelined || @$requests > 1;
    $at->{request} = 0;

    for my $request (@$requests) {
        my $is_head = join('', map { $_->{value} } @$request)
                      =~ /\A\s*HEAD\s/;
        my $raw = send_request($block, $request);

        warn "response: [$raw]\n" if $set{verbose};

        for my $n (1 .. $responses) {
            if (!$ignore) {
                my $res;

                ($res, $raw) = defined section($block, 'http09')
                    ? { code => 200, content => $raw, raw_headers => '',
                        headers => {} }
                    : parse_response($block, $raw, $is_head);

                warn 'WARNING: ', $block->name,
                     " - unexpected extra bytes after the response\n"
                    if defined $raw && $n == $responses;
                $raw //= '';

                check_response($block, $res, $at);
            }

            my $wait = section($block, 'wait');
            sleep $wait if $wait;

            check_error_log($block, $at);
            check_access_log($block, $at) if !$ignore;

            $at->{request}++;
        }
    }
}


# (number of tests, reason) of a block that is not to run

sub skipped {
    my $block = shift;

    my $name = $block->name;

    if (defined(my $spec = section($block, 'skip_eval'))) {
        my ($count, $code) = $spec =~ /\A\s*(\d+)\s*:\s*(.*)/s
            or bail_out("$name - bad skip_eval: $spec");

        my $skip = do { package main; eval $code };
        bail_out("$name - skip_eval failed: $@") if $@;
        return ($count, 'skip_eval') if $skip;
    }

    my $version = qr/([<>]=?)\s*(\d+)\.(\d+)\.(\d+)/;

    for ([skip_nginx => 'nginx', nginx_version()],
         [skip_openssl => 'OpenSSL', openssl_version()])
    {
        my ($section, $what, $have) = @$_;
        my $spec = section($block, $section) // next;

        my ($count, $op, $x, $y, $z, $reason) =
            $spec =~ /\A\s*(\d+)\s*:\s*$version\s*(?::\s*(.*?))?\s*\z/s
            or bail_out("$name - bad $section: $spec");

        return ($count, $reason || "$what version $op $x.$y.$z")
            if !defined $have || compare($have, $op, $x, $y, $z);
    }

    if (defined(my $spec = section($block, 'skip_nginx2'))) {
        my ($count, @v) = $spec =~ /\A\s*(\d+)\s*:\s*$version
                                    \s*(or|and)\s*$version
                                    \s*(?::\s*(.*?))?\s*\z/sx
            or bail_out("$name - bad skip_nginx2: $spec");

        my $first = compare(nginx_version(), @v[0 .. 3]);
        my $second = compare(nginx_version(), @v[5 .. 8]);

        return ($count, $v[9] || 'nginx version')
            if $v[4] eq 'or' ? $first || $second : $first && $second;
    }

    return;
}


sub compare {
    my ($have, $op, @version) = @_;

    my $cmp = $have <=> sprintf '%d.%03d%03d', @version;

    return $op eq '<'  ? $cmp < 0
         : $op eq '<=' ? $cmp <= 0
         : $op eq '>'  ? $cmp > 0
         :               $cmp >= 0;
}

1;

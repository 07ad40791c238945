# What a suite or the environment can set.

package Test::Nginx::Standin::Settings;

use strict;
use warnings;

use base 'Exporter';

use Carp qw( croak );
use File::Spec ();
use IO::Socket::INET ();
use Test::More ();

our @PUBLIC = qw(
    repeat_each workers worker_connections master_on master_off
    master_process_enabled log_level timeout no_shuffle no_root_location
    no_long_string check_accum_error_log config_preamble env_to_nginx
    server_name server_addr server_port server_port_for_client
    server_root html_dir use_hup no_nginx_manager
    add_block_preprocessor add_cleanup_handler add_test_cleanup_handler
    add_response_body_check
);

our @EXPORT = @PUBLIC;

our @EXPORT_OK = (@PUBLIC, qw(
    %set section expand_env parse_time free_port
    @preprocessors @cleanups @test_cleanups @body_checks
));

my $port = $ENV{TEST_NGINX_SERVER_PORT} || $ENV{TEST_NGINX_PORT} || 1984;

our %set = (
    binary              => $ENV{TEST_NGINX_BINARY} || 'nginx',
    load_modules        => $ENV{TEST_NGINX_LOAD_MODULES} || '',
    valgrind            => $ENV{TEST_NGINX_USE_VALGRIND},
    verbose             => $ENV{TEST_NGINX_VERBOSE},
    sleep               => $ENV{TEST_NGINX_SLEEP} || 0.015,
    root                => File::Spec->rel2abs($ENV{TEST_NGINX_SERVROOT}
                                               || 't/servroot'),
    addr                => '127.0.0.1',
    port                => $port,
    client_port         => $ENV{TEST_NGINX_CLIENT_PORT} || $port,
    server_name         => 'localhost',
    timeout             => $ENV{TEST_NGINX_TIMEOUT} || 3,
    log_level           => $ENV{TEST_NGINX_LOG_LEVEL} || 'debug',
    master_process      => $ENV{TEST_NGINX_MASTER_PROCESS} || 'off',
    event_type          => $ENV{TEST_NGINX_EVENT_TYPE},
    postpone_output     => $ENV{TEST_NGINX_POSTPONE_OUTPUT},
    no_shuffle          => $ENV{TEST_NGINX_NO_SHUFFLE},
    no_clean            => $ENV{TEST_NGINX_NO_CLEAN},
    accumulate          => $ENV{TEST_NGINX_CHECK_ACCUM_ERR_LOG},
    workers             => 1,
    worker_connections  => 64,
    repeat              => 1,
    preamble            => '',
    env                 => [],
);

# suites read this one
$ENV{TEST_NGINX_SERVER_ROOT} = $set{root};

our (@preprocessors, @cleanups, @test_cleanups, @body_checks);


# a function that sets the value when it gets one and returns it otherwise

sub accessor {
    my ($name, $key) = @_;

    no strict 'refs';
    *$name = sub {
        $set{$key} = shift if @_;
        return $set{$key};
    };
}

accessor(repeat_each => 'repeat');
accessor(workers => 'workers');
accessor(worker_connections => 'worker_connections');
accessor(log_level => 'log_level');
accessor(timeout => 'timeout');
accessor(server_name => 'server_name');
accessor(server_addr => 'addr');
accessor(server_port => 'port');
accessor(server_port_for_client => 'client_port');

sub server_root () { $set{root} }
sub html_dir () { "$set{root}/html" }

sub master_on () { $set{master_process} = 'on' }
sub master_off () { $set{master_process} = 'off' }

sub master_process_enabled (@) {
    $set{master_process} = shift() ? 'on' : 'off' if @_;
    return $set{master_process};
}

sub no_shuffle () { $set{no_shuffle} = 1 }
sub no_root_location () { $set{no_root_location} = 1 }
sub no_long_string () { $set{no_long_string} = 1 }
sub check_accum_error_log () { $set{accumulate} = 1 }
sub config_preamble ($) { $set{preamble} = shift }

sub env_to_nginx (@) {
    croak 'env_to_nginx: no arguments' unless @_;

    for my $var (@_) {
        croak "env_to_nginx: bad argument: $var"
            if $var !~ /\A[A-Za-z_][^\n]*\z/;
        push @{ $set{env} }, $var;
    }
}

sub use_hup () { croak 'use_hup: not in the stand-in' }
sub no_nginx_manager () { croak 'no_nginx_manager: not in the stand-in' }

# the last one added runs first

sub add_block_preprocessor (&) { unshift @preprocessors, shift }
sub add_cleanup_handler ($) { unshift @cleanups, shift }
sub add_test_cleanup_handler ($) { unshift @test_cleanups, shift }
sub add_response_body_check ($) { push @body_checks, shift }


# The first value of a section, undef without the section.  Test::Base's own
# accessors return a list in list context, which is how arguments get lost.

sub section {
    my ($block, $name) = @_;

    return scalar $block->$name;
}


# "200ms", "2s", "2"

sub parse_time {
    my $time = shift;

    return undef if !defined $time;

    $time =~ s/\A\s+|\s+\z//g;

    return $1 / 1000 if $time =~ /\A(.+)ms\z/;
    return $1 if $time =~ /\A(.+)s\z/;
    return $time;
}


# below the range that outgoing connections take their ports from

sub free_port {
    my $taken = shift;

    for (1 .. 1000) {
        my $try = 10000 + int rand 20000;

        next if $taken->{$try} || $try == $set{port};

        my $sock = IO::Socket::INET->new(LocalAddr => $set{addr},
                                         LocalPort => $try,
                                         Proto => 'tcp',
                                         Listen => 1,
                                         ReuseAddr => 1)
            or next;

        close $sock;
        return $try;
    }

    return undef;
}


# $TEST_NGINX_NAME out of the environment; $TEST_NGINX_RAND_PORT_n is a free
# port, the same one all over a block, kept in $ports

sub expand_env {
    my ($text, $name, $ports) = @_;

    return $text if !defined $text || ref $text;

    $text =~ s/\$(TEST_NGINX_[_A-Z0-9]+)/ env_value($1, $name, $ports) /eg;

    return $text;
}

sub env_value {
    my ($var, $name, $ports) = @_;

    if ($var =~ /\ATEST_NGINX_RAND_PORT_\d+\z/) {
        return $ports->{$var} if exists $ports->{$var};

        my %taken = map { $_ => 1 } values %$ports;
        return $ports->{$var} = free_port(\%taken)
            // Test::More::BAIL_OUT("$name - no free port for \$$var");
    }

    return $ENV{$var}
        // Test::More::BAIL_OUT("$name - no environment variable $var");
}

1;

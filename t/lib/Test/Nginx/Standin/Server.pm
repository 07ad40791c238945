# nginx itself: its directory, its configuration, its life.

package Test::Nginx::Standin::Server;

use strict;
use warnings;

use base 'Exporter';

use File::Path qw( make_path remove_tree );
use POSIX ();
use Test::More ();
use Time::HiRes qw( sleep );

use Test::Nginx::Standin::Settings qw(
    %set section expand_env @cleanups
);

our @PUBLIC = qw( bail_out );

our @EXPORT = @PUBLIC;

our @EXPORT_OK = (@PUBLIC, qw(
    nginx_version openssl_version check_sections prepare_root write_user_files
    write_config start_nginx stop_nginx stop_process log_lines log_rewind
    access_lines
));

# Sections of the real Test::Nginx that change what a block means.  A block
# that has one must not pass by its being ignored.
my %unsupported = map { $_ => 1 } qw(
    http3 quic_max_idle_timeout udp_listen udp_reply udp_reply_delay udp_query
    stap stap_out stap_out_like stap_out_unlike reload_fails skip_slave
    request_eval response_body_eval charset todo todo_nginx
);

my ($version, $openssl);
my $log_position = 0;
my $crashes_seen;


sub bail_out (@) {
    stop_nginx();
    Test::More::BAIL_OUT(join '', @_);
}


sub check_sections {
    my $block = shift;

    for my $name (sort grep { $unsupported{$_} } keys %$block) {
        bail_out($block->name, " - the stand-in has no section $name");
    }
}


# 1.22.1 as 1.022001, to be compared as a number

sub canonical { sprintf '%d.%03d%03d', @_ }

sub versions {
    my $out = `$set{binary} -V 2>&1`;

    bail_out("cannot run $set{binary}: $out") if $? != 0;

    $out =~ m{^nginx version: [^/]*/(\d+)\.(\d+)\.(\d+)}m
        or bail_out("no version in the answer to $set{binary} -V: $out");
    $version = canonical($1, $2, $3);

    $openssl = canonical($1, $2, $3)
        if $out =~ m{built with OpenSSL (\d+)\.(\d+)\.(\d+)};
}

sub nginx_version { versions() if !defined $version; $version }
sub openssl_version { versions() if !defined $version; $openssl }


# Only what tests put there is removed: were TEST_NGINX_SERVROOT set to a
# directory of the user's, the rmdir fails and nothing of his is lost.

sub prepare_root {
    my $root = $set{root};

    if (-d $root) {
        remove_tree(map({ "$root/$_" } qw( conf html logs cache )),
                    glob("$root/*_temp $root/*_cache"));
        rmdir $root or bail_out("cannot remove $root (not empty?): $!");
    }

    make_path(map { "$root/$_" } qw( conf html logs ));

    write_file("$root/html/index.html",
               '<html><head><title>It works!</title></head>'
               . '<body>It works!</body></html>');
}


sub write_file {
    my ($path, $content) = @_;

    open my $out, '>', $path or bail_out("cannot write $path: $!");
    binmode $out;
    print $out $content;
    close $out or bail_out("cannot write $path: $!");
}


# ">>> name [date]" and the content below it; or a list of [name, content,
# date].  A name without a leading slash is below html.

sub write_user_files {
    my ($block, $ports) = @_;

    my $name = $block->name;
    my $files = section($block, 'user_files') or return;

    if (!ref $files) {
        my @list;

        for my $line (split /^/, $files) {
            if ($line =~ />>> (\S+)(?:\s+(.+))?/) {
                push @list, [$1, '', $2];
            } elsif (@list) {
                $list[-1][1] .= $line;
            }
        }

        $files = \@list;
    }

    for my $file (@$files) {
        my ($path, $content, $date) = @$file;

        $path = "$set{root}/html/$path" if $path !~ m{\A/};
        make_path($1) if $path =~ m{(.*)/};
        write_file($path, expand_env($content // '', $name, $ports));

        if ($date) {
            local $ENV{TZ} = 'GMT';
            system('touch', '-t', $date, $path) == 0
                or bail_out("$name - touch -t $date failed");
        }
    }
}


sub write_config {
    my ($block, $config, $ports) = @_;

    my $name = $block->name;
    my $root = $set{root};

    my ($main, $http, $post) =
        map { expand_env(section($block, $_), $name, $ports) // '' }
            qw( main_config http_config post_main_config );

    my $error_log = expand_env(section($block, 'error_log_file'), $name,
                               $ports) || "$root/logs/error.log";

    my $server_name = section($block, 'server_name') // $set{server_name};
    $server_name =~ s/([\\'])/\\$1/g;

    my $load = join ' ', map { "load_module $_;" }
                         grep { length } split /\s+/, $set{load_modules};

    my @env = map { /\s/ ? "'$_'" : $_ }
                  qw( LD_PRELOAD LD_LIBRARY_PATH ASAN_OPTIONS UBSAN_OPTIONS ),
                  @{ $set{env} };

    my ($listen, $http2) = ('', '');
    if (defined section($block, 'http2')) {
        if (nginx_version() >= 1.025001) {
            $http2 = 'http2 on;';
        } else {
            $listen = ' http2';
        }
    }

    # a path the block sets itself must not be there twice
    my $temp = join ' ', map { "${_}_temp_path $root/${_}_temp;" }
                         grep { $http !~ /\b${_}_temp_path\b/ }
                              qw( client_body proxy fastcgi scgi uwsgi );

    my $postpone = defined $set{postpone_output}
                   && $http !~ /\bpostpone_output\b/
                   ? "postpone_output $set{postpone_output};" : '';

    my $events = $set{event_type} ? "use $set{event_type};" : '';
    my $user = $ENV{TEST_NGINX_WORKER_USER} // ($> == 0 ? 'root' : '');
    $user = "user $user;" if $user ne '';

    my $location = $set{no_root_location} ? '' : <<"EOT";
        location / {
            root $root/html;
            index index.html index.htm;
        }
EOT

    write_file("$root/conf/nginx.conf", <<"EOT");
worker_processes $set{workers};
daemon on;
master_process $set{master_process};
error_log $error_log $set{log_level};
pid $root/logs/nginx.pid;
@{[ map { "env $_;\n" } @env ]}
$user
$load $main

http {
    access_log $root/logs/access.log;
    $temp
    default_type text/plain;
    keepalive_timeout 68000ms;
    $postpone

$http

    server {
        listen $set{port}$listen; $http2
        server_name '$server_name';
        client_max_body_size 30M;

$set{preamble}
        # the block's own
$config
        # until here

$location
    }
}

$post

events {
    accept_mutex off;
    worker_connections $set{worker_connections};
    $events
}
EOT
}


# Returns the exit status as $? has it; the error is in the log and, for
# whoever looks at the screen, on stderr.

sub start_nginx {
    my ($block, %opt) = @_;

    my $root = $set{root};
    my @cmd = ($set{binary}, '-e', "$root/logs/error.log", '-p', "$root/",
               '-c', "$root/conf/nginx.conf");

    @cmd = (valgrind(), @cmd) if $set{valgrind};

    log_rewind();
    $crashes_seen = 0;

    my $pid = fork() // bail_out("cannot fork: $!");

    if ($pid == 0) {
        $ENV{LD_PRELOAD} = join ' ', grep { defined && length }
                                     @ENV{qw( TEST_NGINX_LD_PRELOAD
                                              LD_PRELOAD )};
        delete $ENV{LD_PRELOAD} if $ENV{LD_PRELOAD} eq '';

        open STDIN, '<', '/dev/null';
        open STDOUT, '>', '/dev/null';
        open STDERR, '>', '/dev/null'
            if ($opt{quiet} && !$set{verbose})
               || defined section($block, 'suppress_stderr');

        exec { $cmd[0] } @cmd or POSIX::_exit(127);
    }

    waitpid $pid, 0;
    return $?;
}


# TEST_NGINX_USE_VALGRIND is 1, or the options.  Each process writes into a
# file of its own, which is empty unless something was found.

sub valgrind {
    my $options = $set{valgrind} =~ /\A\d+\z/ ? '--leak-check=full'
                                              : $set{valgrind};

    return ('valgrind', '-q', split(' ', $options),
            "--log-file=$set{root}/logs/valgrind.%p");
}


sub nginx_pid {
    open my $in, '<', "$set{root}/logs/nginx.pid" or return undef;
    my $pid = <$in> // '';

    return $pid =~ /\A(\d+)\s*\z/ ? $1 : undef;
}


sub gone {
    my $pid = shift;

    waitpid $pid, POSIX::WNOHANG();
    return 1 if !kill 0, $pid;

    # a daemon's parent is init, and in a container init may take seconds to
    # bury it
    open my $in, '<', "/proc/$pid/stat" or return 0;
    return (<$in> // '') =~ /\A\d+ \(.*\) Z/;
}

# asks politely, then does not ask

sub stop_process {
    my ($pid, $signal, $what) = @_;

    for my $sig ($signal, 'TERM', 'KILL') {
        kill $sig, $pid;

        my $until = Time::HiRes::time()
                    + ($sig eq 'KILL' ? 5 : $set{timeout});
        my $pause = 0.002;

        while (Time::HiRes::time() < $until) {
            return if gone($pid);
            sleep $pause;
            $pause = 0.05 if ($pause *= 2) > 0.05;
        }

        warn "$what - process $pid is still there after SIG$sig\n";
    }
}


sub stop_nginx {
    my $name = shift // 'cleanup';

    my $pid = nginx_pid();

    if (defined $pid) {
        # one that ends in order takes its file with it
        extra_failure("$name - nginx is gone") if gone($pid);

        my $signal = $ENV{TEST_NGINX_FAST_SHUTDOWN} ? 'TERM' : 'QUIT';
        stop_process($pid, $signal, $name);
        unlink "$set{root}/logs/nginx.pid";
    }

    report_crashes($name);
    report_valgrind($name);
}


# A worker that dies of a signal or a finding of a sanitizer is a failure
# even where no section asks for it.

sub report_crashes {
    my $name = shift;

    return if $crashes_seen++;

    open my $in, '<', "$set{root}/logs/error.log" or return;

    while (my $line = <$in>) {
        next unless $line =~ /(?:Address|Leak|UndefinedBehavior|Memory
                                |Thread)Sanitizer
                              |:\ runtime\ error:
                              |exited\ on\ signal\ (?:4|6|7|8|11)\b/x;

        my @more = grep { !/ \[debug\] / }
                   map { scalar(<$in>) // () } 1 .. 30;
        extra_failure("$name - nginx crashed: $line");
        Test::More::diag($line, @more);
        last;
    }
}


sub report_valgrind {
    my $name = shift;

    for my $path (glob "$set{root}/logs/valgrind.*") {
        open my $in, '<', $path or next;
        my $text = do { local $/; <$in> };
        unlink $path;

        next if !defined $text || $text !~ /\S/;

        extra_failure("$name - valgrind has found something");
        Test::More::diag($text);
    }
}


# a failure that no plan counts

sub extra_failure {
    Test::More->builder->no_ending(1);
    Test::More::fail(shift);
}


# what the error log has got since the last look

sub log_rewind { $log_position = 0 }

sub log_lines {
    # nginx logs some things after it has answered and closed
    sleep $set{sleep} * 3;

    open my $in, '<', "$set{root}/logs/error.log" or return [];
    seek $in, $log_position, 0 if !$set{accumulate};

    my @lines = <$in>;
    $log_position = tell $in;

    return \@lines;
}

sub access_lines {
    sleep $set{sleep} * 3;

    open my $in, '<', "$set{root}/logs/access.log" or return [];

    return [<$in>];
}

1;

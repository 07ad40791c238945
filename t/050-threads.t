# envelope_threads: key operations on nginx's thread pools.  The other end,
# and the driver of what needs more than a request, is t/peers/threads.py.

use Test::Nginx::Socket;
use FindBin;
use lib "$FindBin::Bin/peers/lib";
use Envelope::Peer;

my $nginx = $ENV{TEST_NGINX_BINARY} || 'nginx';
plan skip_all => 'nginx is built without threads'
    if `$nginx -V 2>&1` !~ /--with-threads/;

make_rsa(2048 => 2048, 4096 => 4096);

master_on();
worker_connections(1024);
log_level('info');
no_long_string();
no_shuffle();

our ($peer, $port, $keep);

END { local $?; if ($peer) { close $keep; close $peer } }

sub start_driver {
    pipe(my $in, $keep) or die;         # closed with us, and the peer ends
    my $pid = open($peer, '-|') // die "fork: $!";

    if ($pid == 0) {
        close $keep;
        open(STDIN, '<&', $in) or die;
        exec "$FindBin::Bin/peers/threads.py", $keys;
        die "exec: $!";
    }

    close $in;
    (my $line = <$peer> // '') =~ /^listening on (\d+)/
        or die "no threads.py";
    $port = $1;
}

start_driver();
$ENV{TEST_NGINX_THREADS_PORT} = $port;

sub drive {
    my $scenario = shift;

    my $root = html_dir() =~ s{/html$}{}r;
    my $text = join "\n", server_port_for_client(), $root, $scenario;

    my $sock = IO::Socket::INET->new(PeerAddr => "127.0.0.1:$port")
        or return "no driver: $!";
    print $sock "POST /_run HTTP/1.1\r\nContent-Length: ", length $text,
                "\r\n\r\n$text";
    local $/;
    return scalar(<$sock>) =~ s/\A.*?\r\n\r\n//sr;
}

our $seal = 'body data; field data = json | rsa-private key=k | base64;';
our $open = 'body data; field data = json'
            . ' | rsa-oaep key=k hash=sha256 | base64;';

our $profiles = join '', map { <<"EOC" } 2048, 4096;
    envelope_profile out$_ {
        key k \$TEST_NGINX_KEYS/$_.pem;
        request { $seal } response { $open }
        webhook { $seal } reply { $open }
    }

    envelope_profile in$_ {
        key k \$TEST_NGINX_KEYS/$_.pem;
        request { $open } response { $seal }
        webhook { $open } reply { $seal }
    }
EOC

# /ROLE/BITS and, with "envelope_threads off", /off/ROLE/BITS

our $roles = '';

for my $off ('', '/off') {
    for my $bits (2048, 4096) {
        for (qw( call/out notify/out serve/in webhook/in )) {
            my ($role, $way) = split m{/};
            my $up = $way eq 'out' ? "open/$bits" : 'echo';
            my $threads = $off ? 'envelope_threads off;' : '';

            $roles .= <<"EOC";
    location $off/$role/$bits {
        envelope_$role $way$bits;
        $threads
        proxy_pass http://up/$up;
    }
EOC
        }
    }
}

# what is sealed only, and what is opened only

our $halves = '';

for ([seals => "request { $seal }"], [opens => "request { $open }"],
     [answers => "response { $open }"])
{
    $halves .= <<"EOC";
    envelope_profile $_->[0] {
        key k \$TEST_NGINX_KEYS/4096.pem;
        $_->[1]
    }
EOC
}

add_block_preprocessor(sub {
    my $block = shift;

    # that webhooks of this format can be sent again
    $block->set_value('suppress_stderr', 1);

    return if !defined $block->drive;

    my $http = $block->http_config // '';
    $block->set_value('http_config', <<"EOC");
$profiles
$halves
    upstream up {
        server 127.0.0.1:$port;
    }

    client_max_body_size 1m;
    client_body_buffer_size 1m;
    $http
EOC

    # a socket of its own: nginx 1.22 has either version on one
    $block->set_value('http_config', $block->http_config . <<"EOC")
    server {
        listen unix:\$TEST_NGINX_SERVROOT/h2.sock http2;
        $roles
    }
EOC
        if defined $block->h2;

    my $config = $block->config // '';
    $block->set_value('config', <<"EOC");
$roles
    location /plain {
        return 200 "plain\\n";
    }

    location /status {
        stub_status;
    }
$config
EOC

    $block->set_value('request', 'GET /plain');
});

add_response_body_check(sub {
    my ($block) = @_;

    return if !defined $block->drive;

    (my $scenario = $block->drive) =~ s/\s+\z//;
    my $out = drive($scenario);

    Test::More::diag($block->name, "\n$out") if $ENV{TEST_THREADS_VERBOSE} || $out !~ /^ok$/m;
    Test::More::ok($out =~ /^ok$/m, $block->name . ' - driven');
});

plan tests => repeat_each() * 79;

run_tests();

__DATA__

=== TEST 1: all roles, both ways, short and long, with threads and without
--- drive: roles
--- config
    location /tampered {
        envelope_call answers;
        proxy_pass http://up/tampered/20000;
    }

    location /off/tampered {
        envelope_call answers;
        envelope_threads off;
        proxy_pass http://up/tampered/20000;
    }



=== TEST 2: a pool that is full, requests
--- drive: busy request
--- main_config
    thread_pool tiny threads=1 max_queue=1;
--- config
    location /tiny/request {
        envelope_serve opens;
        envelope_threads pool=tiny;
        proxy_pass http://up/echo;
    }



=== TEST 3: a pool that is full, responses
--- drive: busy response
--- main_config
    thread_pool tiny threads=1 max_queue=1;
--- config
    location /tiny/response {
        envelope_call answers;
        envelope_threads pool=tiny;
        proxy_pass http://up/answer/4096/5000;
    }



=== TEST 4: heavy messages do not keep others waiting
(valgrind lets one thread run at a time)
--- skip_eval: 2: $ENV{TEST_NGINX_USE_VALGRIND}
--- drive: heavy
--- config
    location /heavy {
        envelope_call seals;
        proxy_pass http://up/heavy;
    }



=== TEST 5: many short texts in a message do not either
(valgrind lets one thread run at a time)
--- skip_eval: 2: $ENV{TEST_NGINX_USE_VALGRIND}
--- drive: elements
--- main_config
    worker_cpu_affinity 1;
--- http_config
    envelope_profile cards {
        key k $TEST_NGINX_KEYS/4096.pem;
        request { field /cards/*/pan = json | rsa-oaep key=k hash=sha256 | base64; }
    }
--- config
    location /cards {
        envelope_serve cards;
        proxy_pass http://up/;
    }



=== TEST 6: more heavy messages than may wait
(valgrind lets one thread run at a time)
--- skip_eval: 2: $ENV{TEST_NGINX_USE_VALGRIND}
--- drive: crowd
--- main_config
    worker_cpu_affinity 1;
--- config
    location /heavy {
        envelope_call seals;
        proxy_pass http://up/heavy;
    }



=== TEST 7: clients go away, requests
(valgrind lets one thread run at a time)
--- skip_eval: 2: $ENV{TEST_NGINX_USE_VALGRIND}
--- drive: abort request
--- config
    location /deaf/4096 {
        envelope_serve opens;
        proxy_ignore_client_abort on;
        proxy_pass http://up/echo;
    }



=== TEST 8: clients go away, responses
--- drive: abort response
--- config
    location /deaf/4096 {
        envelope_call answers;
        proxy_ignore_client_abort on;
        proxy_pass http://up/answer/4096/20000;
    }



=== TEST 9: clients go away, subrequests
--- drive: abort subrequest
--- config
    location /ssi {
        ssi on;
        default_type text/html;
        return 200 '<!--# include virtual="/part" -->|<!--# include virtual="/part" -->';
    }

    location /part {
        envelope_call answers;
        proxy_pass http://up/answer/4096/20000;
    }



=== TEST 10: a stream of HTTP/2 is reset
--- drive: abort h2-reset
--- h2



=== TEST 11: a connection of HTTP/2 is closed
--- drive: abort h2-close
--- h2



=== TEST 12: HTTP/2
--- drive: h2
--- h2



=== TEST 13: send_timeout
--- drive: timeout
--- config
    location /impatient {
        envelope_call answers;
        send_timeout 20ms;
        proxy_pass http://up/answer/4096/20000;
    }



=== TEST 14: the upstream goes away
--- drive: reset
--- config
    location /reset {
        envelope_call answers;
        proxy_pass http://up/reset/20000;
    }



=== TEST 15: subrequests, mirror and error pages
--- drive: subrequests
--- config
    location /ssi {
        ssi on;
        default_type text/html;
        return 200 '<!--# include virtual="/part" -->|<!--# include virtual="/part" -->';
    }

    location /part {
        envelope_call answers;
        proxy_pass http://up/answer/4096/20000;
    }

    location /bad {
        envelope_call answers;
        proxy_pass http://up/tampered/20000;
    }

    location /allowed {
        auth_request /part;
        proxy_pass http://up/;
    }

    location /denied {
        auth_request /bad;
        proxy_pass http://up/;
    }

    location /page {
        envelope_serve opens;
        error_page 401 /page.html;
        proxy_pass http://up/;
    }

    location /page.html {
        return 200 "page\n";
    }

    location /fallback {
        envelope_call answers;
        error_page 502 = @fallback;
        proxy_pass http://up/tampered/20000;
    }

    location @fallback {
        return 200 "fallback\n";
    }

    location /mirrored {
        envelope_call seals;
        mirror /copy;
        proxy_pass http://up/echo;
    }

    location /copy {
        internal;
        proxy_pass http://up/copy;
    }



=== TEST 16: a client goes away and nginx redirects the request
--- drive: post_action
--- config
    location /post/ {
        envelope_call answers;
        proxy_pass http://up/;
        post_action /after;
    }

    location /after {
        proxy_pass http://up/later/0.7;
    }



=== TEST 17: the same while the request waits for a token
(valgrind sees a library of libcurl's read the environment at exit)
--- drive: post_token
--- main_config
    env ENVELOPE_TEST=1;
--- http_config
    envelope_profile tok {
        request { set a 1 number; }
        token {
            url http://127.0.0.1:$TEST_NGINX_THREADS_PORT/later/0.3;
            value /none;
            lifetime 1h;
        }
    }
--- config
    location /token/ {
        envelope_call tok;
        proxy_pass http://up/;
        post_action /after;
    }

    location /after {
        proxy_pass http://up/later/0.6;
    }



=== TEST 18: reload
--- drive: reload



=== TEST 19: a worker is killed
--- drive: kill



=== TEST 20: quit
--- drive: quit /call/4096



=== TEST 21: quit, with threads that are slow to come
--- drive: quit /one
--- main_config
    thread_pool one threads=1;
--- config
    location /one {
        envelope_call out4096;
        envelope_threads pool=one;
        proxy_pass http://up/open/4096;
    }



=== TEST 22: stop
--- drive: stop /call/4096 5000 150



=== TEST 23: stop, with a queue that is full
(nginx kills a worker that takes more than a second or two to stop)
--- skip_eval: 2: $ENV{TEST_NGINX_USE_VALGRIND}
--- drive: stop /tiny 40000 4
--- main_config
    thread_pool tiny threads=1 max_queue=1;
--- config
    location /tiny {
        envelope_call out4096;
        envelope_threads pool=tiny;
        proxy_pass http://up/open/4096;
    }



=== TEST 24: not twice
--- config
    envelope_threads on;
    envelope_threads off;
--- must_die
--- error_log
[emerg]
"envelope_threads" directive is duplicate



=== TEST 25: what it can be
--- config
    envelope_threads yes;
--- must_die
--- error_log
[emerg]
invalid value "yes" in "envelope_threads" directive, it must be "on", "off" or "pool=NAME"



=== TEST 26: a pool has a name
--- config
    envelope_threads pool=;
--- must_die
--- error_log
[emerg]
invalid value "pool=" in "envelope_threads" directive



=== TEST 27: a pool that there is not
--- config
    envelope_threads pool=none;
--- must_die
--- error_log
[emerg]
unknown thread pool "none" in



=== TEST 28: not in "if"
--- config
    location /t {
        if ($arg_a) {
            envelope_threads off;
        }
    }
--- must_die
--- error_log
[emerg]
"envelope_threads" directive is not allowed here



=== TEST 29: nobody needs a pool
--- config
    location /t {
        envelope_threads on;
        return 200;
    }
--- request
GET /t
--- log_level: debug
--- no_error_log
thread in pool
[alert]



=== TEST 30: on is the default, off has no pool
--- http_config eval: "$::halves\n    envelope_threads off;"
--- config
    location /t {
        envelope_call seals;
        return 200;
    }
--- request
GET /t
--- log_level: debug
--- no_error_log
thread in pool
[alert]



=== TEST 31: what is inherited
--- drive: pools
--- main_config
    thread_pool first threads=1;
    thread_pool second threads=1;
--- http_config
    envelope_threads pool=first;
--- config
    envelope_call seals;

    location /inherited {
        proxy_pass http://up/echo;
    }

    location /second {
        envelope_threads pool=second;
        proxy_pass http://up/echo;

        location /second/inner {
            proxy_pass http://up/echo;
        }
    }

    location /on {
        envelope_threads on;
        proxy_pass http://up/echo;
    }

    location /off {
        envelope_threads off;
        proxy_pass http://up/echo;
    }
--- log_level: debug



=== TEST 32: cheap work stays where it is
--- skip_eval: 2: $ENV{TEST_NGINX_ALL_THREADS}
--- http_config
    envelope_profile cheap {
        secret aes data:0123456789abcdef text;
        request { field a = json | aes-128-gcm key=aes iv=prefix | base64; }
    }
--- config
    location /t {
        envelope_call cheap;
        proxy_pass http://127.0.0.1:$TEST_NGINX_SERVER_PORT/echo;
    }

    location /echo {
        return 200 "echo\n";
    }
--- request
POST /t
{"a":1}
--- log_level: debug
--- response_body
echo
--- no_error_log
added to thread pool
[error]



=== TEST 33: but not with a megabyte of it
--- http_config
    client_max_body_size 2m;
    client_body_buffer_size 2m;

    envelope_profile cheap {
        secret aes data:0123456789abcdef text;
        request { field a = json | aes-128-gcm key=aes iv=prefix | base64; }
    }
--- config
    location /t {
        envelope_call cheap;
        proxy_pass http://127.0.0.1:$TEST_NGINX_SERVER_PORT/echo;
    }

    location /echo {
        return 200 "echo\n";
    }
--- request eval
"POST /t\n" . '{"a":"' . 'x' x 1000000 . '"}'
--- log_level: debug
--- response_body
echo
--- error_log
added to thread pool "default"
--- no_error_log
[error]



=== TEST 34: threads that compute do so in a batch
--- drive: schedule
--- main_config
    worker_priority 3;

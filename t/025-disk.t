# A disk that is full: a body that nginx cannot put into its temporary file
# goes nowhere, in either direction of the request side.  The disk is a tmpfs
# of 64k that the suite mounts.

use Test::Nginx::Socket;
use Envelope::Upstream;

use File::Temp ();
use MIME::Base64;

our $disk = File::Temp::tempdir(CLEANUP => 1);

my $owner = $$;
my $mounted = !system("mount -t tmpfs -o size=64k tmpfs $disk 2>/dev/null");

END { system("umount -l $disk") if $mounted && $$ == $owner }

$ENV{TEST_NGINX_DISK} = $disk;

our $plain = '{"a":"' . 'x' x 300000 . '"}';
our $wire = '{"data":"' . encode_base64($plain, '') . '"}';

start_upstream();

add_block_preprocessor(sub {
    my $block = shift;

    $block->set_value('suppress_stderr', 1);
    $block->set_value('http_config', <<'_EOC_');
    envelope_profile p {
        request { body data; field data = json | base64; }
        webhook { body data; field data = json | base64; }
    }

    client_body_temp_path $TEST_NGINX_DISK;
    client_body_buffer_size 4k;
    client_max_body_size 1m;

    upstream up {
        server 127.0.0.1:$TEST_NGINX_UPSTREAM_PORT;
    }
_EOC_
});

no_long_string();

if ($mounted) {
    plan tests => repeat_each() * 19;

} else {
    plan skip_all => 'no file system can be mounted here';
}

run_tests();

__DATA__

=== TEST 1: the plain body of a call
--- config
    location /t {
        envelope_call p;
        proxy_pass http://up/call;
    }
--- request eval
"POST /t\n$::plain"
--- error_code: 500
--- response_body_unlike: xxxx
--- error_log
failed (28: No space left on device)
--- no_error_log
[alert]
connect to 127.0.0.1



=== TEST 2: the sealed body of a webhook
--- config
    location /t {
        envelope_webhook p;
        proxy_pass http://up/hook;
    }
--- request eval
"POST /t\n$::wire"
--- error_code: 500
--- response_body_unlike: eyJh
--- error_log
failed (28: No space left on device)
--- no_error_log
[alert]
connect to 127.0.0.1



=== TEST 3: an error page that asks an upstream brings it nothing of the body
--- config
    location /t {
        envelope_call p;
        error_page 500 =502 /fallback;
        proxy_pass http://up/call;
    }

    location /fallback {
        envelope_call off;
        proxy_pass http://up/raw;
    }
--- request eval
"POST /t\n$::plain"
--- error_code: 502
--- response_body_like: ^GET /raw
--- response_body_unlike: xxxx
--- error_log
failed (28: No space left on device)
--- no_error_log
[alert]
POST /call HTTP



=== TEST 4: a body that fits into memory needs no disk
--- config
    location /t {
        envelope_call p;
        proxy_pass http://up/decoded;
    }
--- request
POST /t
{"a":1}
--- response_body chomp
{"a":1}
--- no_error_log
[alert]
[crit]

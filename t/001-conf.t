# Directives: where they may stand, what is inherited, and every error of the
# configuration with its place, the statement at fault and the reason.

use Test::Nginx::Socket;

no_long_string();

add_block_preprocessor(sub {
    my $block = shift;

    $block->set_value('http_config', "    include ../html/vm.conf;\n")
        if !defined $block->http_config;

    $block->set_value('config', "    location /t {\n"
                                . "        return 200 ok;\n    }\n")
        if !defined $block->config;

    $block->set_value('request', 'GET /t')
        if !defined $block->request && !defined $block->must_die;

    # the emerg line is the expected one: it is not on stderr as well
    $block->set_value('suppress_stderr', '1')
        if defined $block->must_die;
});

# "loaded" or "not_loaded": what a worker has in memory

add_response_body_check(sub {
    my $block = shift;
    my $root = html_dir() =~ s{/html$}{}r;

    for my $name (qw( loaded not_loaded )) {
        next if !defined $block->$name;

        my ($worker) = `pgrep -P \$(cat $root/logs/nginx.pid)`
                       =~ /(\d+)/;

        open my $maps, '<', "/proc/" . ($worker // 'none') . "/maps"
            or Test::More::fail($block->name . " - maps: $!"), next;

        my $found = grep { index($_, $block->$name) >= 0 } <$maps>;

        Test::More::ok($name eq 'loaded' ? $found : !$found,
                       $block->name . " - $name");
    }
});

master_on();

plan tests => repeat_each() * 229;

run_tests();

__DATA__

=== TEST 1: each role names a profile
--- http_config
    envelope_profile vm {
        request { set appId 1; }
        webhook { set appId 1; }
    }
--- config
    location /call {
        envelope_call vm;
        return 200 $envelope_role:$envelope_profile;
    }

    location /webhook {
        envelope_webhook vm;
        return 200 $envelope_role:$envelope_profile;
    }

    location /serve {
        envelope_serve vm;
        return 200 $envelope_role:$envelope_profile;
    }

    location /notify {
        envelope_notify vm;
        return 200 $envelope_role:$envelope_profile;
    }

    location /none {
        return 200 $envelope_role:$envelope_profile;
    }
--- request eval
["GET /call", "GET /webhook", "GET /serve", "GET /notify", "GET /none"]
--- response_body eval
["call:vm", "webhook:vm", "serve:vm", "notify:vm", ":"]



=== TEST 2: a role of the server holds in its locations, "off" ends it
--- http_config
    envelope_profile vm { request { set appId 1; } }
--- config
    envelope_call vm;

    location /in {
        return 200 $envelope_role:$envelope_profile;
    }

    location /off {
        envelope_call off;
        return 200 $envelope_role:$envelope_profile;

        location /off/in {
            return 200 $envelope_role:$envelope_profile;
        }

        location /off/on {
            envelope_call vm;
            return 200 $envelope_role:$envelope_profile;
        }
    }
--- request eval
["GET /in", "GET /off", "GET /off/in", "GET /off/on"]
--- response_body eval
["call:vm", ":", ":", "call:vm"]



=== TEST 3: a role of the http block, another profile and "off" further in
--- http_config
    envelope_call a;

    envelope_profile a { request { set appId 1; } }
    envelope_profile b { request { set appId 2; } }

    server {
        listen 127.0.0.1:$TEST_NGINX_RAND_PORT_1;
        envelope_call b;
        return 200 $envelope_role:$envelope_profile;
    }

    server {
        listen 127.0.0.1:$TEST_NGINX_RAND_PORT_2;
        envelope_call off;
        return 200 $envelope_role:$envelope_profile;
    }
--- config
    location /a {
        return 200 $envelope_role:$envelope_profile;
    }

    location /b {
        envelope_call off;
        proxy_pass http://127.0.0.1:$TEST_NGINX_RAND_PORT_1;
    }

    location /c {
        envelope_call off;
        proxy_pass http://127.0.0.1:$TEST_NGINX_RAND_PORT_2;
    }
--- request eval
["GET /a", "GET /b", "GET /c"]
--- response_body eval
["call:a", "call:b", ":"]



=== TEST 4: a role that is named hides another one that is inherited
--- http_config
    envelope_profile a { request { set appId 1; } }
    envelope_profile b { webhook { set appId 2; } }
--- config
    envelope_call a;

    location /webhook {
        envelope_webhook b;
        return 200 $envelope_role:$envelope_profile;

        location /webhook/off {
            envelope_webhook off;
            return 200 $envelope_role:$envelope_profile;
        }
    }
--- request eval
["GET /webhook", "GET /webhook/off"]
--- response_body eval
["webhook:b", ":"]



=== TEST 5: "off" turns off its own directive only
--- http_config
    envelope_profile a { request { set appId 1; } }
    envelope_profile b { webhook { set appId 2; } }
--- config
    envelope_call a;

    location /other {
        envelope_webhook off;
        envelope_serve off;
        envelope_notify off;
        return 200 $envelope_role:$envelope_profile;
    }

    location /both {
        envelope_call off;
        envelope_webhook b;
        return 200 $envelope_role:$envelope_profile;
    }

    location /turned {
        envelope_webhook b;
        envelope_call off;
        return 200 $envelope_role:$envelope_profile;
    }
--- request eval
["GET /other", "GET /both", "GET /turned"]
--- response_body eval
["call:a", "webhook:b", "webhook:b"]



=== TEST 6: "if" and "limit_except" are of the location around them
--- http_config
    envelope_profile vm { request { set appId 1; } }
--- config
    location /if {
        envelope_call vm;

        if ($arg_x) {
            return 200 if:$envelope_role:$envelope_profile;
        }

        return 200 $envelope_role:$envelope_profile;
    }

    location /limit {
        envelope_call vm;

        limit_except GET {
            deny all;
        }

        return 200 $envelope_role:$envelope_profile;
    }
--- request eval
["GET /if?x=1", "GET /if", "GET /limit"]
--- response_body eval
["if:call:vm", "call:vm", "call:vm"]



=== TEST 7: a profile is defined after it is named
--- http_config
    envelope_call later;

    envelope_profile later { request { set appId 1; } }
--- config
    location /t {
        return 200 $envelope_role:$envelope_profile;
    }
--- response_body: call:later



=== TEST 8: include in a profile, in a message, in an included message
--- user_files
>>> vm.conf
envelope_profile vm {
    include ../html/secrets.conf;
    include ../html/messages/*.conf;
}
>>> secrets.conf
secret app data:hello text;
>>> messages/request.conf
request {
    include ../html/common.inc;
    set version 1.0;
}
>>> messages/webhook.conf
webhook {
    include ../html/signature.inc;
}
>>> common.inc
set appId 1;
include ../html/signature.inc;
>>> signature.inc
sign sign = hs256 key=app over=<appId> | hex;
--- config
    location /t {
        envelope_call vm;
        return 200 $envelope_role:$envelope_profile;
    }

    location /webhook {
        envelope_webhook vm;
    }
--- response_body: call:vm
--- no_error_log
[warn]
[error]



=== TEST 9: envelope_max_response_size in all its places
--- http_config
    envelope_max_response_size 64k;
--- config
    envelope_max_response_size 2m;

    location /t {
        envelope_max_response_size 1;
        return 200 ok;
    }
--- response_body: ok
--- no_error_log
[error]



=== TEST 10: a profile that is named nowhere is checked all the same
--- user_files
>>> vm.conf
envelope_profile vm {
    request {
        field data = json | rsa-oaep key=platform | base64;
    }
}
--- must_die
--- error_log
[emerg]
envelope_profile "vm": request: "field data": rsa-oaep: unknown key "platform"
/html/vm.conf:3



=== TEST 11: a profile that is nowhere defined
--- user_files
>>> vm.conf
server {
    listen 127.0.0.1:$TEST_NGINX_RAND_PORT_1;

    location / {
        envelope_webhook vn;
    }
}
--- must_die
--- error_log
[emerg]
envelope_profile "vn" is not defined in
/html/vm.conf:5



=== TEST 12: two roles in one block
--- user_files
>>> vm.conf
envelope_profile vm {
    request { set appId 1; }
}

envelope_call vm;
envelope_webhook vm;
--- must_die
--- error_log
[emerg]
"envelope_webhook" conflicts with "envelope_call" in this block in
/html/vm.conf:6



=== TEST 13: two roles of different profiles in one block, one of them first "off"
--- user_files
>>> vm.conf
envelope_serve off;
envelope_notify a;
envelope_call b;
--- must_die
--- error_log
[emerg]
"envelope_call" conflicts with "envelope_notify" in this block in
/html/vm.conf:3



=== TEST 14: a role named twice
--- user_files
>>> vm.conf
envelope_call vm;
envelope_call vm;
--- must_die
--- error_log
[emerg]
"envelope_call" directive is duplicate in
/html/vm.conf:2



=== TEST 15: a role named after its "off"
--- user_files
>>> vm.conf
envelope_serve off;
envelope_serve vm;
--- must_die
--- error_log
[emerg]
"envelope_serve" directive is duplicate in
/html/vm.conf:2



=== TEST 16: a role without a profile
--- user_files
>>> vm.conf
envelope_notify;
--- must_die
--- error_log
[emerg]
invalid number of arguments in "envelope_notify" directive in
/html/vm.conf:1



=== TEST 17: a role in "if"
--- user_files
>>> vm.conf
envelope_profile vm { request { set appId 1; } }
server {
    listen 127.0.0.1:$TEST_NGINX_RAND_PORT_1;
    location / {
        if ($arg_x) {
            envelope_call vm;
        }
    }
}
--- must_die
--- error_log
[emerg]
"envelope_call" directive is not allowed here in
/html/vm.conf:6



=== TEST 18: a role in "limit_except"
--- user_files
>>> vm.conf
server {
    listen 127.0.0.1:$TEST_NGINX_RAND_PORT_1;
    location / {
        limit_except GET {
            envelope_serve vm;
        }
    }
}
--- must_die
--- error_log
[emerg]
"envelope_serve" directive is not allowed here in
/html/vm.conf:5



=== TEST 19: a profile in a server
--- user_files
>>> vm.conf
server {
    listen 127.0.0.1:$TEST_NGINX_RAND_PORT_1;
    envelope_profile vm {
    }
}
--- must_die
--- error_log
[emerg]
"envelope_profile" directive is not allowed here in
/html/vm.conf:3



=== TEST 20: a profile without a block
--- user_files
>>> vm.conf
envelope_profile vm;
--- must_die
--- error_log
[emerg]
directive "envelope_profile" has no opening "{" in
/html/vm.conf:1



=== TEST 21: a profile without a name
--- user_files
>>> vm.conf
envelope_profile {
}
--- must_die
--- error_log
[emerg]
invalid number of arguments in "envelope_profile" directive in
/html/vm.conf:1



=== TEST 22: "off" is no name of a profile
--- user_files
>>> vm.conf
envelope_profile off { }
--- must_die
--- error_log
[emerg]
invalid profile name "off" in
/html/vm.conf:1



=== TEST 23: nor is nothing
--- user_files
>>> vm.conf
envelope_profile "" { }
--- must_die
--- error_log
[emerg]
invalid profile name "" in
/html/vm.conf:1



=== TEST 24: a profile defined twice
--- user_files
>>> vm.conf
envelope_profile vm {
    request { set appId 1; }
}

envelope_profile vm {
    webhook { set appId 1; }
}
--- must_die
--- error_log eval
["[emerg]", qr{duplicate envelope_profile "vm", the first one is in \S+/html/vm\.conf:1 in \S+/html/vm\.conf:5}]



=== TEST 25: a profile in a profile
--- user_files
>>> vm.conf
envelope_profile vm {
    envelope_profile vn {
    }
}
--- must_die
--- error_log
[emerg]
"envelope_profile" directive is not allowed here in
/html/vm.conf:2



=== TEST 26: directives of nginx have no place in a profile
--- user_files
>>> vm.conf
envelope_profile vm {
    root /tmp;
}
--- must_die
--- error_log
[emerg]
"root" directive is not allowed here in
/html/vm.conf:2



=== TEST 27: nor have those of its main context
--- user_files
>>> vm.conf
envelope_profile vm {
    worker_processes 2;
}
--- must_die
--- error_log
[emerg]
"worker_processes" directive is not allowed here in
/html/vm.conf:2



=== TEST 28: an unknown word in a profile
--- user_files
>>> vm.conf
envelope_profile vm {
    keys platform data:x;
}
--- must_die
--- error_log
[emerg]
unknown directive "keys" in
/html/vm.conf:2



=== TEST 29: a key outside of a profile
--- user_files
>>> vm.conf
key platform data:x;
--- must_die
--- error_log
[emerg]
"key" directive is not allowed here in
/html/vm.conf:1



=== TEST 30: a message outside of a profile
--- user_files
>>> vm.conf
request {
}
--- must_die
--- error_log
[emerg]
"request" directive is not allowed here in
/html/vm.conf:1



=== TEST 31: a secret in the main context
--- main_config
    secret app data:x text;
--- http_config
--- must_die
--- error_log
[emerg]
"secret" directive is not allowed here in



=== TEST 32: a message described twice
--- user_files
>>> vm.conf
envelope_profile vm {
    reply { set appId 1; }
    request { set appId 1; }
    reply { set appId 1; }
}
--- must_die
--- error_log eval
["[emerg]", qr{envelope_profile "vm": duplicate "reply" block, the first one is in \S+/html/vm\.conf:2 in \S+/html/vm\.conf:4}]



=== TEST 33: a message without a statement
--- user_files
>>> vm.conf
envelope_profile vm {
    response {
    }
}
--- must_die
--- error_log
[emerg]
envelope_profile "vm": "response" block is empty in
/html/vm.conf:3



=== TEST 34: a message with a word too much
--- user_files
>>> vm.conf
envelope_profile vm {
    request v2 {
    }
}
--- must_die
--- error_log
[emerg]
invalid number of arguments in "request" directive in
/html/vm.conf:2



=== TEST 35: a block in a message
--- user_files
>>> vm.conf
envelope_profile vm {
    request {
        set appId 1;
        field data {
        }
    }
}
--- must_die
--- error_log
[emerg]
unexpected "{" in
/html/vm.conf:4



=== TEST 36: a message that does not end
--- user_files
>>> vm.conf
envelope_profile vm {
    request {
        set appId 1;
--- must_die
--- error_log
[emerg]
unexpected end of file, expecting "}" in
/html/vm.conf:4



=== TEST 37: an unknown statement
--- user_files
>>> vm.conf
envelope_profile vm {
    request {
        set appId 1;
        fields data = json | base64;
    }
}
--- must_die
--- error_log
[emerg]
envelope_profile "vm": request: "fields data = json | base64": unknown statement "fields", there are: body, set,
/html/vm.conf:4



=== TEST 38: a statement in a file that a message includes
--- user_files
>>> vm.conf
envelope_profile vm {
    webhook {
        include ../html/common.inc;
    }
}
>>> common.inc
set appId 1;

sett appId 1;
--- must_die
--- error_log
[emerg]
envelope_profile "vm": webhook: "sett appId 1": unknown statement "sett",
/html/common.inc:3



=== TEST 39: a statement in an included file that is found wrong at the end of its profile
--- user_files
>>> vm.conf
envelope_profile vm {
    webhook {
        include ../html/common.inc;
        set appId 1;
    }
}
>>> common.inc

sign sign = hs256 key=app over=<appId> | hex;
--- must_die
--- error_log
[emerg]
envelope_profile "vm": webhook: "sign sign": unknown secret "app"
/html/common.inc:2



=== TEST 40: a file that a message includes is not there
--- user_files
>>> vm.conf
envelope_profile vm {
    request {
        include ../html/missing.inc;
    }
}
--- must_die
--- error_log
[emerg]
/html/missing.inc" failed (2: No such file or directory) in
/html/vm.conf:3



=== TEST 41: include of nothing
--- user_files
>>> vm.conf
envelope_profile vm {
    request {
        include;
    }
}
--- must_die
--- error_log
[emerg]
invalid number of arguments in "include" directive in
/html/vm.conf:3



=== TEST 42: what a statement was is cut where it gets long, and kept on its line
--- user_files eval
">>> vm.conf
envelope_profile vm {
    request {
        sett a 'two
lines' " . "0123456789" x 20 . ";
    }
}
"
--- must_die
--- error_log eval
["[emerg]", qr{envelope_profile "vm": request: "sett a two lines 01234567890[0-9]{90,120}\.\.\.": unknown statement "sett", .* in \S+/html/vm\.conf:4$}]



=== TEST 43: a variable without a name
--- user_files
>>> vm.conf
envelope_profile vm {
    request {
        set appId 1;
        set time $;
    }
}
--- must_die
--- error_log
[emerg]
envelope_profile "vm": request: "set time $": the variables in it cannot be compiled in
/html/vm.conf:4



=== TEST 44: a variable that there is not
--- user_files
>>> vm.conf
envelope_profile vm {
    request {
        sign sign = sha256 over=a$nothing<appId> | hex;
    }
}
--- must_die
--- error_log
[emerg]
unknown "nothing" variable



=== TEST 45: webhooks come in, and are not described
--- user_files
>>> vm.conf
envelope_profile vm {
    request { set appId 1; }
}

server {
    listen 127.0.0.1:$TEST_NGINX_RAND_PORT_1;
    location / {
        envelope_webhook vm;
    }
}
--- must_die
--- error_log
[emerg]
envelope_webhook "vm" needs a "webhook" block in
/html/vm.conf:8



=== TEST 46: requests are served, and are not described
--- user_files
>>> vm.conf
envelope_profile vm {
    webhook { set appId 1; }
    response { set appId 1; }
}

envelope_serve vm;
--- must_die
--- error_log
[emerg]
envelope_serve "vm" needs a "request" block in
/html/vm.conf:6



=== TEST 47: what leaves or answers need not be described
--- http_config
    envelope_profile vm { }
--- config
    location /call {
        envelope_call vm;
    }

    location /t {
        envelope_notify vm;
        return 200 ok;
    }
--- response_body: ok
--- no_error_log
[warn]
[error]



=== TEST 48: webhooks that anyone can make (warned of)
--- user_files
>>> vm.conf
envelope_profile vm {
    request {
        set appId 1;
    }
    webhook {
        set appId 1;
    }
}
--- config
    location /t {
        envelope_webhook vm;
        return 200 ok;
    }
--- error_log
[warn]
envelope_profile "vm": webhooks are not authenticated: no signature, MAC or AEAD under a shared secret; restrict who may send them (allow/deny) in
/html/vm.conf:5



=== TEST 49: not where they are sent, not where they are authenticated
--- user_files
>>> vm.conf
envelope_profile a {
    webhook { set appId 1; }
}
envelope_profile b {
    secret app data:hello text;
    webhook { sign sign = hs256 key=app over=<appId> | hex; }
}
--- config
    location /a {
        envelope_notify a;
    }

    location /t {
        envelope_webhook b;
        return 200 ok;
    }
--- no_error_log
[warn]
[error]



=== TEST 50: envelope_max_response_size of nothing
--- user_files
>>> vm.conf
envelope_max_response_size 0;
--- must_die
--- error_log
[emerg]
"envelope_max_response_size" directive must be greater than 0 in
/html/vm.conf:1



=== TEST 51: envelope_max_response_size that is no size
--- user_files
>>> vm.conf
envelope_max_response_size 1q;
--- must_die
--- error_log
[emerg]
"envelope_max_response_size" directive invalid value in
/html/vm.conf:1



=== TEST 52: an IV that comes again (warned of)
--- user_files
>>> vm.conf
envelope_profile vm {
    secret app data:0123456789abcdef text;
    request {
        field a = json
            | aes-128-gcm key=app iv=hex:000102030405060708090a0b | base64;
    }
}
--- config
    location /t {
        envelope_call vm;
        return 200 ok;
    }
--- error_log
[warn]
envelope_profile "vm": request: "field a": AES-GCM uses an IV again under the same key



=== TEST 53: two fields with one random IV (warned of)
--- user_files
>>> vm.conf
envelope_profile vm {
    request {
        random k key:16 iv:12;
        field a = json | aes-128-gcm key=k.key iv=k.iv | base64;
        field b = json | aes-128-gcm key=k.key iv=k.iv | base64;
        field k = k | hex;
    }
}
--- config
    location /t {
        envelope_call vm;
        return 200 ok;
    }
--- error_log
[warn]
envelope_profile "vm": request: "field b": AES-GCM uses an IV again under the same key



=== TEST 54: an IV of its own for each, and one that is only opened
--- user_files
>>> vm.conf
envelope_profile vm {
    secret app data:0123456789abcdef text;
    request {
        random k key:16 iv:12 iv2:12;
        field a = json | aes-128-gcm key=k.key iv=k.iv | base64;
        field b = json | aes-128-gcm key=k.key iv=k.iv2 | base64;
        field /c/* = json | aes-128-gcm key=app iv=prefix | base64;
        field k = k | hex;
    }
    response {
        field a = json
            | aes-128-gcm key=app iv=hex:000102030405060708090a0b | base64;
    }
}
--- config
    location /t {
        envelope_call vm;
        return 200 ok;
    }
--- response_body: ok
--- no_error_log
[warn]
[error]



=== TEST 55: libcurl is loaded where a token is fetched, and nowhere else
--- http_config
    envelope_profile vm {
        request { set appId 1; }
    }
--- config
    location /t {
        envelope_call vm;
        return 200 ok;
    }
--- response_body chop
ok
--- not_loaded chomp
libcurl
--- no_error_log
[alert]



=== TEST 56: there it is
--- http_config
    envelope_profile vm {
        request { set appId 1; }
        token { url http://127.0.0.1:1/; value /t; lifetime 1m; }
    }
--- config
    location /plain {
        return 200 ok;
    }

    location /t {
        envelope_call vm;
        proxy_pass http://127.0.0.1:1;
    }
--- request
GET /plain
--- response_body chop
ok
--- loaded chomp
libcurl
--- no_error_log
[alert]

# What is said of statements that are wrong: where, which, and why.  A block
# gives the role that the profile plays, the message, and its statements.

use Test::Nginx::Socket;
use File::Temp ();

our $keys = File::Temp::tempdir(CLEANUP => 1);

$ENV{TEST_NGINX_KEYS} = $keys;

sub openssl {
    my $out = `cd $keys && openssl $_[0] 2>&1`;
    die "openssl $_[0]: $out" if $?;
}

openssl('genpkey -algorithm RSA -pkeyopt rsa_keygen_bits:2048 -out rsa.pem');
openssl('pkey -in rsa.pem -pubout -out rsa.pub');
openssl('genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-256 -out ec.pem');

chmod 0600, glob("$keys/*.pem");

no_long_string();

add_block_preprocessor(sub {
    my $block = shift;

    $block->set_value('config', "    location /t {\n"
                                . "        return 200 ok;\n    }\n")
        if !defined $block->config;

    if (!defined $block->wrong) {
        $block->set_value('request', 'GET /t');
        $block->set_value('response_body', 'ok')
            if !defined $block->response_body;
        return;
    }

    my ($where, $statements) = split /\n/, $block->wrong, 2;
    my ($role, $message) = split ' ', $where;

    $statements =~ s/^/        /gm;

    my $other = $role eq 'webhook' && $message ne 'webhook'
                ? 'webhook { sign s = hs256 key=app over=x | hex; }' : '';

    $block->set_value('http_config', "    include ../html/vm.conf;\n");
    $block->set_value('must_die', '');
    $block->set_value('suppress_stderr', '1');
    $block->set_value('user_files', <<"EOC");
>>> vm.conf
envelope_profile vm {
    key pub $keys/rsa.pub;
    key private $keys/rsa.pem;
    key ec $keys/ec.pem;
    secret app data:0123456789abcdef text;
    $message {
$statements
    }
    $other
}
envelope_$role vm;
EOC
});

plan tests => repeat_each() * 318;

run_tests();

__DATA__

=== TEST 1: every spelling that is right
--- http_config
    envelope_profile a {
        key     pub      $TEST_NGINX_KEYS/rsa.pub;
        key     private  $TEST_NGINX_KEYS/rsa.pem;
        key     ec       $TEST_NGINX_KEYS/ec.pem;
        secret  app      data:0123456789abcdef text;

        request {
            body content;
            random session key:16 iv:12;
            random nonce 16;
            set appId 1;
            set userNo 10001 number;
            set flags '{"a":[1,2]}' json keep;
            set time $envelope_time string optional;
            set header:X-Time "at $envelope_time_ms";
            set /a/b~1c x;
            field content=json|base64|hex;
            field /cards/*/pan optional = string
                | aes-128-ecb key=app
                | base64url
                | prefix "v1:";
            field pin = string | aes-128-cbc key=app iv=prefix | hex;
            field cvv = string
                | aes-128-gcm key=session.key iv=session.iv aad=<appId>
                | base64;
            field old = string
                | aes-128-cbc key=app iv=hex:000102030405060708090a0b0c0d0e0f
                | base64;
            field key = session | rsa-oaep key=pub hash=sha256 mgf1=sha1
                "label=a | b" | base64;
            field rnd = nonce | rsa-pkcs1 key=pub | base64;
            sign sign = rs256 key=private over=<sorted> except=rnd,key
                skip=empty | base64;
            sign header:X-Sign = sha256 over=<secret:app>$envelope_time<< | hex;
            sign header:X-Mac:v1 = hs256 key=app
                "over=<header:X-Time> . <body>" | hex;
        }

        response {
            when code 0;
            sign sign = ps256 key=pub over=<data> | base64;
            field data optional = json | rsa-private key=pub | hex;
        }
    }

    envelope_profile b {
        key ec $TEST_NGINX_KEYS/ec.pem;

        webhook { sign s = es256 key=ec over=<a> | base64url; }
        reply { when ok; set code 0; }
    }

    envelope_call a;

    server {
        listen 127.0.0.1:$TEST_NGINX_RAND_PORT_1;
        envelope_webhook b;
    }
--- no_error_log
[warn]
[error]



=== TEST 2: an unknown statement
--- wrong
call request
fields data = json | base64;
--- error_log
[emerg]
envelope_profile "vm": request: "fields data = json | base64": unknown statement "fields", there are: body, set, random, field, sign, fresh, once, when in
/html/vm.conf:7



=== TEST 3: body without an address
--- wrong
call request
body;
--- error_log
[emerg]
envelope_profile "vm": request: "body": write: body ADDRESS in
/html/vm.conf:7



=== TEST 4: body twice
--- wrong
call request
body a;
body b;
--- error_log
[emerg]
envelope_profile "vm": request: "body b": a message has one "body" in
/html/vm.conf:8



=== TEST 5: body in a header
--- wrong
call request
body header:x;
--- error_log
[emerg]
envelope_profile "vm": request: "body header:x": a body cannot be put at "header:x", write the name of a member in
/html/vm.conf:7



=== TEST 6: body in many places
--- wrong
call request
body /a/*;
--- error_log
[emerg]
envelope_profile "vm": request: "body /a/*": a body cannot be put at "/a/*", write the name of a member in
/html/vm.conf:7



=== TEST 7: set without a value
--- wrong
call request
set a;
--- error_log
[emerg]
envelope_profile "vm": request: "set a": write: set ADDRESS VALUE [string|number|json] [keep] [optional] in
/html/vm.conf:7



=== TEST 8: set with a word that it does not know
--- wrong
call request
set a 1 nubmer;
--- error_log
[emerg]
envelope_profile "vm": request: "set a 1 nubmer": unexpected "nubmer", there are: string, number, json, keep, optional in
/html/vm.conf:7



=== TEST 9: set of a number that is none
--- wrong
call request
set a x number;
--- error_log
[emerg]
envelope_profile "vm": request: "set a x number": "x" is not a JSON number in
/html/vm.conf:7



=== TEST 10: set of JSON that is none
--- wrong
call request
set a "[1" json;
--- error_log
[emerg]
envelope_profile "vm": request: "set a [1 json": "[1" is not JSON: JSON ends too early, after 2 bytes in
/html/vm.conf:7



=== TEST 11: set of the same place twice
--- wrong
call request
set a 1;
set a 2;
--- error_log
[emerg]
envelope_profile "vm": request: "set a": "a" is written by line 7 already in
/html/vm.conf:8



=== TEST 12: set of a number in a header
--- wrong
call request
set header:X 1 number;
--- error_log
[emerg]
envelope_profile "vm": request: "set header:X 1 number": a header holds no JSON, leave out "number" in
/html/vm.conf:7



=== TEST 13: set in what is no name of a header
--- wrong
call request
set "header:X Y" 1;
--- error_log
[emerg]
envelope_profile "vm": request: "set header:X Y 1": "header:X Y" is not the name of a header in
/html/vm.conf:7



=== TEST 14: set in many places
--- wrong
call request
set /a/*/b 1;
--- error_log
[emerg]
envelope_profile "vm": request: "set /a/*/b 1": "set" cannot write to "*" in
/html/vm.conf:7



=== TEST 15: set in what is no JSON pointer
--- wrong
call request
set /a~2 1;
--- error_log
[emerg]
envelope_profile "vm": request: "set /a~2 1": "/a~2" is not a JSON pointer: "~" is written "~0" in
/html/vm.conf:7



=== TEST 16: set in no place
--- wrong
call request
set "" 1;
--- error_log
[emerg]
envelope_profile "vm": request: "set  1": an address is empty in
/html/vm.conf:7



=== TEST 17: random without a length
--- wrong
call request
random s;
--- error_log
[emerg]
envelope_profile "vm": request: "random s": write: random NAME LENGTH, or: random NAME PART:LENGTH .. in
/html/vm.conf:7



=== TEST 18: random of no bytes
--- wrong
call request
random s 0;
--- error_log
[emerg]
envelope_profile "vm": request: "random s 0": "0" is not a length from 1 to 1024 bytes in
/html/vm.conf:7



=== TEST 19: random of too many bytes
--- wrong
call request
random s 1025;
--- error_log
[emerg]
envelope_profile "vm": request: "random s 1025": "1025" is not a length from 1 to 1024 bytes in
/html/vm.conf:7



=== TEST 20: random parts of too many bytes
--- wrong
call request
random s a:1000 b:1000;
--- error_log
[emerg]
envelope_profile "vm": request: "random s a:1000 b:1000": "b:1000" is not PART:LENGTH (at most 8 parts, 1024 bytes in all) in
/html/vm.conf:7



=== TEST 21: random twice
--- wrong
call request
random s 16;
random s 16;
--- error_log
[emerg]
envelope_profile "vm": request: "random s 16": random "s" is there already in
/html/vm.conf:8



=== TEST 22: field without an address
--- wrong
call request
field;
--- error_log
[emerg]
envelope_profile "vm": request: "field": write: field ADDRESS [optional] = json|string|NAME [| step ..] in
/html/vm.conf:7



=== TEST 23: field without a source
--- wrong
call request
field data;
--- error_log
[emerg]
envelope_profile "vm": request: "field data": write: field ADDRESS [optional] = json|string|NAME [| step ..] in
/html/vm.conf:7



=== TEST 24: field of nothing
--- wrong
call request
field data =;
--- error_log
[emerg]
envelope_profile "vm": request: "field data =": write: field ADDRESS [optional] = json|string|NAME [| step ..] in
/html/vm.conf:7



=== TEST 25: field of an unknown source
--- wrong
call request
field data = xml | base64;
--- error_log
[emerg]
envelope_profile "vm": request: "field data": unknown source "xml", write json, string or the name of a "random" in
/html/vm.conf:7



=== TEST 26: field of a random that there is not
--- wrong
call request
field data = session | hex;
--- error_log
[emerg]
envelope_profile "vm": request: "field data": unknown source "session", write json, string or the name of a "random" in
/html/vm.conf:7



=== TEST 27: field deeper than addresses go
--- wrong
call request
field /a/b/c/d/e/f/g/h/i/j/k/l/m/n/o/p/q = json | hex;
--- error_log
[emerg]
envelope_profile "vm": request: "field /a/b/c/d/e/f/g/h/i/j/k/l/m/n/o/p/q = json | hex": "/a/b/c/d/e/f/g/h/i/j/k/l/m/n/o/p/q" is deeper than 16 levels in
/html/vm.conf:7



=== TEST 28: a step is missing
--- wrong
call request
field data = json |;
--- error_log
[emerg]
envelope_profile "vm": request: "field data = json |": a step is missing after "|" in
/html/vm.conf:7



=== TEST 29: an unknown step
--- wrong
call request
field data = json | base65;
--- error_log
[emerg]
envelope_profile "vm": request: "field data = json | base65": unknown step "base65", there are: base64, base64url, hex, prefix, rsa-pkcs1, rsa-oaep, rsa-private, aes-128-ecb .. aes-256-gcm in
/html/vm.conf:7



=== TEST 30: a pipe is missing
--- wrong
call request
field data = json base64;
--- error_log
[emerg]
envelope_profile "vm": request: "field data = json base64": unexpected "base64", steps are separated by "|" in
/html/vm.conf:7



=== TEST 31: bytes at the end that no text can hold
--- wrong
call request
field data = json | rsa-pkcs1 key=pub;
--- error_log
[emerg]
envelope_profile "vm": request: "field data = json | rsa-pkcs1 key=pub": the last step makes bytes that no text can hold, add "| base64" or "| hex" in
/html/vm.conf:7



=== TEST 32: prefix of nothing
--- wrong
call request
field data = json | prefix;
--- error_log
[emerg]
envelope_profile "vm": request: "field data = json | prefix": write: prefix TEXT in
/html/vm.conf:7



=== TEST 33: rsa-pkcs1 without a key
--- wrong
call request
field data = json | rsa-pkcs1 | base64;
--- error_log
[emerg]
envelope_profile "vm": request: "field data = json | rsa-pkcs1 | base64": rsa-pkcs1 needs key=NAME in
/html/vm.conf:7



=== TEST 34: rsa-pkcs1 with a key that there is not
--- wrong
call request
field data = json | rsa-pkcs1 key=none | base64;
--- error_log
[emerg]
envelope_profile "vm": request: "field data": rsa-pkcs1: unknown key "none", write "key none ..;" in the profile in
/html/vm.conf:7



=== TEST 35: rsa-pkcs1 with a secret
--- wrong
call request
field data = json | rsa-pkcs1 key=app | base64;
--- error_log
[emerg]
envelope_profile "vm": request: "field data": rsa-pkcs1: "app" is a secret where a key is needed in
/html/vm.conf:7



=== TEST 36: rsa-pkcs1 with a parameter that it does not have
--- wrong
call request
field data = json | rsa-pkcs1 key=pub foo=1 | base64;
--- error_log
[emerg]
envelope_profile "vm": request: "field data = json | rsa-pkcs1 key=pub foo=1 | base64": unexpected "foo=1", steps are separated by "|" in
/html/vm.conf:7



=== TEST 37: rsa-pkcs1 with a key of another type
--- wrong
call request
field data = json | rsa-pkcs1 key=ec | base64;
--- error_log
[emerg]
envelope_profile "vm": request: "field data": rsa-pkcs1: key "ec": rsa-pkcs1 needs a key of type RSA, this is EC on P-256 in
/html/vm.conf:7



=== TEST 38: a request is opened with a public key
--- wrong
serve request
field data = json | rsa-pkcs1 key=pub | base64;
--- error_log
[emerg]
envelope_profile "vm": request in envelope_serve: "field data": rsa-pkcs1: key "pub": rsa-pkcs1 needs a private key here, this is a public one in
/html/vm.conf:7



=== TEST 39: a response is opened with a public key
--- wrong
call response
field data = json | rsa-oaep key=pub | base64;
--- error_log
[emerg]
envelope_profile "vm": response in envelope_call: "field data": rsa-oaep: key "pub": rsa-oaep needs a private key here, this is a public one in
/html/vm.conf:7



=== TEST 40: rsa-private seals with a public key
--- wrong
call request
field data = json | rsa-private key=pub | hex;
--- error_log
[emerg]
envelope_profile "vm": request in envelope_call: "field data": rsa-private: key "pub": rsa-private needs a private key here, this is a public one in
/html/vm.conf:7



=== TEST 41: rsa-private seals a reply with a public key
--- wrong
webhook reply
field data = json | rsa-private key=pub | hex;
--- error_log
[emerg]
envelope_profile "vm": reply in envelope_webhook: "field data": rsa-private: key "pub": rsa-private needs a private key here, this is a public one in
/html/vm.conf:7



=== TEST 42: rsa-oaep with an unknown digest
--- wrong
call request
field data = json | rsa-oaep key=pub hash=md5 | hex;
--- error_log
[emerg]
envelope_profile "vm": request: "field data = json | rsa-oaep key=pub hash=md5 | hex": rsa-oaep: unknown digest "md5" in
/html/vm.conf:7



=== TEST 43: rsa-oaep with an unknown digest of MGF1
--- wrong
call request
field data = json | rsa-oaep key=pub mgf1=foo | hex;
--- error_log
[emerg]
envelope_profile "vm": request: "field data = json | rsa-oaep key=pub mgf1=foo | hex": rsa-oaep: unknown digest "foo" in
/html/vm.conf:7



=== TEST 44: an unknown cipher
--- wrong
call request
field data = json | aes-129-cbc key=app iv=prefix | hex;
--- error_log
[emerg]
envelope_profile "vm": request: "field data = json | aes-129-cbc key=app iv=prefix | hex": unknown cipher "aes-129-cbc" in
/html/vm.conf:7



=== TEST 45: a secret of a wrong size
--- wrong
call request
field data = json | aes-256-gcm key=app iv=prefix | hex;
--- error_log
[emerg]
envelope_profile "vm": request: "field data": aes-256-gcm: the key has 16 bytes, 32 are needed in
/html/vm.conf:7



=== TEST 46: a key where a secret is needed
--- wrong
call request
field data = json | aes-128-cbc key=pub iv=prefix | hex;
--- error_log
[emerg]
envelope_profile "vm": request: "field data": aes-128-cbc: "pub" is a key where a secret is needed in
/html/vm.conf:7



=== TEST 47: a random part of a wrong size
--- wrong
call request
random s key:31;
field data = json | aes-256-gcm key=s.key iv=prefix | base64;
field k = s | hex;
--- error_log
[emerg]
envelope_profile "vm": request: "field data": aes-256-gcm: the key has 31 bytes, 32 are needed in
/html/vm.conf:8



=== TEST 48: a random part that there is not
--- wrong
call request
random s key:32;
field data = json | aes-256-gcm key=s.foo iv=prefix | base64;
field k = s | hex;
--- error_log
[emerg]
envelope_profile "vm": request: "field data": aes-256-gcm: random "s" has no part "foo" in
/html/vm.conf:8



=== TEST 49: gcm without an iv
--- wrong
call request
field data = json | aes-128-gcm key=app | hex;
--- error_log
[emerg]
envelope_profile "vm": request: "field data = json | aes-128-gcm key=app | hex": aes-128-gcm needs iv=NAME, iv=prefix, iv=hex:.. or iv=<ADDRESS> in
/html/vm.conf:7



=== TEST 50: ecb with an iv
--- wrong
call request
field data = json | aes-128-ecb key=app iv=prefix | hex;
--- error_log
[emerg]
envelope_profile "vm": request: "field data = json | aes-128-ecb key=app iv=prefix | hex": aes-128-ecb takes no iv= in
/html/vm.conf:7



=== TEST 51: ecb with additional data
--- wrong
call request
field data = json | aes-128-ecb key=app aad=x | hex;
--- error_log
[emerg]
envelope_profile "vm": request: "field data = json | aes-128-ecb key=app aad=x | hex": aes-128-ecb takes no aad= in
/html/vm.conf:7



=== TEST 52: an iv of a wrong size
--- wrong
call request
field data = json | aes-128-cbc key=app iv=hex:00 | hex;
--- error_log
[emerg]
envelope_profile "vm": request: "field data": aes-128-cbc: the iv has 1 bytes, 16 are needed in
/html/vm.conf:7



=== TEST 53: an iv that is no hex
--- wrong
call request
field data = json | aes-128-cbc key=app iv=hex:zz | hex;
--- error_log
[emerg]
envelope_profile "vm": request: "field data = json | aes-128-cbc key=app iv=hex:zz | hex": iv=hex:zz: hex: byte 0 of 2 is not a digit in
/html/vm.conf:7



=== TEST 54: opening needs a key before it has it
--- wrong
serve request
random s key:32;
field k = s | rsa-oaep key=private | base64;
field data = json | aes-256-gcm key=s.key iv=prefix | base64;
--- error_log
[emerg]
envelope_profile "vm": request in envelope_serve: "field data": aes-256-gcm: opening goes from the last statement to the first and needs "s.key" here, put the "field" that carries it below this one in
/html/vm.conf:9



=== TEST 55: opening needs a key that nothing carries
--- wrong
serve request
random s key:32;
field data = json | aes-256-gcm key=s.key iv=prefix | base64;
--- error_log
[emerg]
envelope_profile "vm": request in envelope_serve: "field data": aes-256-gcm: opening goes from the last statement to the first and needs "s.key" here, put the "field" that carries it below this one in
/html/vm.conf:8



=== TEST 56: sign without anything
--- wrong
call request
sign;
--- error_log
[emerg]
envelope_profile "vm": request: "sign": write: sign ADDRESS = ALG [key=NAME] over=TEMPLATE | step .. in
/html/vm.conf:7



=== TEST 57: an unknown algorithm
--- wrong
call request
sign s = hs999 key=app over=<a> | hex;
--- error_log
[emerg]
envelope_profile "vm": request: "sign s = hs999 key=app over=<a> | hex": unknown algorithm "hs999" in
/html/vm.conf:7



=== TEST 58: hs256 without a key
--- wrong
call request
sign s = hs256 over=<a> | hex;
--- error_log
[emerg]
envelope_profile "vm": request: "sign s = hs256 over=<a> | hex": key=NAME is missing in
/html/vm.conf:7



=== TEST 59: sign over nothing
--- wrong
call request
sign s = hs256 key=app | hex;
--- error_log
[emerg]
envelope_profile "vm": request: "sign s = hs256 key=app | hex": over=TEMPLATE is missing in
/html/vm.conf:7



=== TEST 60: sign without a text of it
--- wrong
call request
sign s = hs256 key=app over=<a>;
--- error_log
[emerg]
envelope_profile "vm": request: "sign s = hs256 key=app over=<a>": the last step makes bytes that no text can hold, add "| base64" or "| hex" in
/html/vm.conf:7



=== TEST 61: hs256 with a key
--- wrong
call request
sign s = hs256 key=pub over=<a> | hex;
--- error_log
[emerg]
envelope_profile "vm": request: "sign s": "pub" is a key where a secret is needed in
/html/vm.conf:7



=== TEST 62: rs256 with a secret
--- wrong
call request
sign s = rs256 key=app over=<a> | hex;
--- error_log
[emerg]
envelope_profile "vm": request: "sign s": "app" is a secret where a key is needed in
/html/vm.conf:7



=== TEST 63: rs256 with a public key
--- wrong
call request
sign s = rs256 key=pub over=<a> | hex;
--- error_log
[emerg]
envelope_profile "vm": request in envelope_call: "sign s": key "pub": rs256 needs a private key here, this is a public one in
/html/vm.conf:7



=== TEST 64: rs256 with a key of another type
--- wrong
call request
sign s = rs256 key=ec over=<a> | hex;
--- error_log
[emerg]
envelope_profile "vm": request: "sign s": key "ec": rs256 needs a key of type RSA, this is EC on P-256 in
/html/vm.conf:7



=== TEST 65: es256 with a key of another type
--- wrong
call request
sign s = es256 key=private over=<a> | hex;
--- error_log
[emerg]
envelope_profile "vm": request: "sign s": key "private": es256 needs a key of type EC on P-256, this is RSA of 2048 bits in
/html/vm.conf:7



=== TEST 66: a digest with a key
--- wrong
call request
sign s = sha256 key=app over=<a> | hex;
--- error_log
[emerg]
envelope_profile "vm": request: "sign s = sha256 key=app over=<a> | hex": a digest takes no key=, write <secret:NAME> into over= in
/html/vm.conf:7



=== TEST 67: a template without its end
--- wrong
call request
sign s = sha256 over=<a | hex;
--- error_log
[emerg]
envelope_profile "vm": request: "sign s = sha256 over=<a | hex": "<" without ">" in "<a", a literal "<" is written "<<" in
/html/vm.conf:7



=== TEST 68: a template with a secret that there is not
--- wrong
call request
sign s = sha256 over=<secret:none> | hex;
--- error_log
[emerg]
envelope_profile "vm": request: "sign s": unknown secret "none", write "secret none ..;" in the profile in
/html/vm.conf:7



=== TEST 69: a template with a key for a secret
--- wrong
call request
sign s = sha256 over=<secret:pub> | hex;
--- error_log
[emerg]
envelope_profile "vm": request: "sign s": "pub" is a key where a secret is needed in
/html/vm.conf:7



=== TEST 70: a signature over the body that changes the body
--- wrong
call request
sign s = sha256 over=<body> | hex;
--- error_log
[emerg]
envelope_profile "vm": request in envelope_call: "sign s": <body> is signed before "sign s" changes it, move this to the end in
/html/vm.conf:7



=== TEST 71: a signature over the body, which changes later on
--- wrong
call request
sign header:S = sha256 over=<body> | hex;
field data = json | base64;
--- error_log
[emerg]
envelope_profile "vm": request in envelope_call: "sign header:S": <body> is signed before "field data" changes it, move this to the end in
/html/vm.conf:7



=== TEST 72: skip= of something else
--- wrong
call request
sign s = sha256 over=<sorted> skip=full | hex;
--- error_log
[emerg]
envelope_profile "vm": request: "sign s = sha256 over=<sorted> skip=full | hex": "skip=full" should be "skip=empty" in
/html/vm.conf:7



=== TEST 73: except= without <sorted>
--- wrong
call request
sign s = sha256 over=<a> except=b | hex;
--- error_log
[emerg]
envelope_profile "vm": request: "sign s = sha256 over=<a> except=b | hex": except= and skip= are for over= with <sorted> in it in
/html/vm.conf:7



=== TEST 74: a signature in many places
--- wrong
call request
sign /a/*/s = sha256 over=<a> | hex;
--- error_log
[emerg]
envelope_profile "vm": request: "sign /a/*/s = sha256 over=<a> | hex": a signature cannot be put at "*" in
/html/vm.conf:7



=== TEST 75: when without an address
--- wrong
call response
when;
--- error_log
[emerg]
envelope_profile "vm": response: "when": write: when ADDRESS [VALUE] in
/html/vm.conf:7



=== TEST 76: when of many values
--- wrong
call response
when /a/* 1;
--- error_log
[emerg]
envelope_profile "vm": response: "when /a/* 1": "when" asks for one value, not for "*" in
/html/vm.conf:7



=== TEST 77: when of a request
--- wrong
call request
when code 0;
--- error_log
[emerg]
envelope_profile "vm": request: "when code 0": "when" is for responses and replies: whatever else comes in has to be of its format in
/html/vm.conf:7



=== TEST 78: when of a webhook
--- wrong
webhook webhook
when code 0;
--- error_log
[emerg]
envelope_profile "vm": webhook: "when code 0": "when" is for responses and replies: whatever else comes in has to be of its format in
/html/vm.conf:7



=== TEST 79: quotes that begin inside of a word
--- wrong
call request
sign s = sha256 over="<a> b" | hex;
--- error_log
[emerg]
unexpected "b"", quotes go around the whole word: "over=.." in
/html/vm.conf:7



=== TEST 80: quotes around a whole value are not a part of it
--- http_config
    envelope_profile vm {
        request {
            sign header:X-Digest = sha1 over="abc" | hex;
            sign header:X-Other = sha1 'over=a b' | hex;
        }
    }
--- config
    location /t {
        envelope_call vm;
        proxy_pass http://127.0.0.1:$TEST_NGINX_SERVER_PORT/sealed;
    }

    location /sealed {
        return 200 "$http_x_digest $http_x_other";
    }
--- request
GET /t
--- response_body chomp
a9993e364706816aba3e25717850c26c9cd0d89d 7dbde93504122a707f849f2c12bdd9de71b41929

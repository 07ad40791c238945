# Format E: the JSON travels as the string param, signed as that string's
# characters.  The other end is t/peers/formats.py; the key pair that the
# documents print is in t/data/keys.

use Test::Nginx::Socket;
use FindBin;
use lib "$FindBin::Bin/peers/lib";
use Envelope::Peer;

make_rsa(platform => 2048, merchant => 2048, old => 2048, stranger => 2048,
         1024 => 1024, 3072 => 3072, 4096 => 4096);

our $signature = slurp('printed-signature.b64') =~ s/\s//gr;

# as such keys come: base64 DER without PEM lines
for my $name (qw( platform merchant )) {
    spew("$name.key", b64(openssl("pkcs8 -topk8 -nocrypt -in $name.pem"
                                  . ' -outform DER')));
    spew("$name.pub", b64(openssl("pkey -in $name.pem -pubout"
                                  . ' -outform DER')));
}

our $messages = <<'EOC';
    request {
        body  param;
        set   appId 123456;
        field param = json;
        sign  sign = rs256 key=merchant over=<param> | base64;
    }

    webhook {
        body  param;
        field param = json;
        sign  sign = rs256 key=platform over=<param> | base64;
    }
EOC

start_peers(
    '/provider' => provider('E', '--merchant merchant.pub'),
    '/printed' => provider('E', "--merchant printed-public.b64"),
    (map { ("/$_" => provider('E', "--merchant $_.pem")) } 1024, 3072, 4096),
    '/subscriber' => subscriber('E', '--platform platform.pub'),
);

sub webhook {
    my ($plain, $key) = @_;

    $key //= 'platform.key';
    return peer("E seal-webhook --platform $key", $plain);
}

# Some 100 kB of what is in messages of that size: records, in the characters,
# the escapes and with the white space of whoever wrote them.
sub records {
    my @kinds = (
        '{"id":"tx_%07d","amount":"10.50","shop":"Shop No. 7","settled":true}',
        '{ "id": %d, "amount": -0.50e+2, "tags": [ ], "of": { "a": {} } }',
        qq({"id":"%d","shop":"\xe5\x95\x86\xe5\xba\x97 \xf0\x9f\x92\xb3","x":null}),
        '{"id":"%d","shop":"\\u5546\\u5e97","path":"C:\\\\\"x\"\\/\\n","y":[[1],2]}',
        qq({\n\t"id" : "%d",\r\n\t"settled" : false\n}),
    );

    return '{"items":[' . join(', ', map { sprintf $kinds[$_ % 5], $_ } 1 .. 1500)
           . qq(] , "memo" :"\xc3\xa9"});
}

add_block_preprocessor(sub {
    my $block = shift;

    $block->set_value('no_error_log', "[error]\n[alert]\n")
        if !defined $block->error_log;

    $block->set_value('http_config', join '', $http,
        profile('ours', $messages, platform => 'platform.pub',
                merchant => 'merchant.key'),
        profile('theirs', $messages, platform => 'platform.key',
                merchant => 'merchant.pub'),
        profile('ring', $messages,
                platform => 'platform.pub|old.pub.pem',
                merchant => 'merchant.key'),
        profile('printed', $messages, platform => "printed-public.b64",
                merchant => "printed-private.b64"),
        map { profile("e$_", $messages, platform => "$_.pub.pem",
                      merchant => "$_.pem") } 1024, 3072, 4096);

    $block->set_value('config', locations(<<'EOC'));
/call call:ours /provider
/call/1024 call:e1024 /1024
/call/3072 call:e3072 /3072
/call/4096 call:e4096 /4096
/call/printed call:printed /printed
/call/answer call:ours /answer
/call/error call:ours /error
/wire call:ours /echo
/wire/printed call:printed /echo
/webhook webhook:ours /app
/webhook/1024 webhook:e1024 /app
/webhook/3072 webhook:e3072 /app
/webhook/4096 webhook:e4096 /app
/webhook/ring webhook:ring /app
/webhook/printed webhook:printed /app
/webhook/answer webhook:ours /answer
/serve serve:theirs /app
/serve/answer serve:theirs /answer
/notify notify:theirs /subscriber
EOC
});

log_level('info');

plan tests => repeat_each() * 348;

run_tests();

__DATA__

=== TEST 1: call: sealed by us, opened by the peer, to the byte
--- raw_request eval
::post('/call', "\n " . ::odd() . "\t\r\n")
--- response_body eval
"\n " . ::odd() . "\t\r\n"



=== TEST 2: call: the wire: sign is what openssl makes of the characters of param
--- raw_request eval
::post('/wire', qq({"a" : "\\u00e9\\\\\\/ \xe5\x8d\xa1",\t"n":1.0}\n))
--- response_body eval
my $text = qq({"a" : "\\u00e9\\\\\\/ \xe5\x8d\xa1",\t"n":1.0}\n);
my $sign = ::b64(::openssl('dgst -sha256 -sign merchant.pem', $text));
qq({"param":"{\\"a\\" : \\"\\\\u00e9\\\\\\\\\\\\/ \xe5\x8d\xa1\\",\\t\\"n\\":1.0}\\n",)
. qq("appId":"123456","sign":"$sign"})



=== TEST 3: call: 1 byte, 1 MB
--- request eval
["POST /call\n1", "POST /call\n" . ::text_of_length(1 << 20)]
--- response_body eval
['1', ::text_of_length(1 << 20)]
--- error_code eval
[200, 200]
--- timeout: 20



=== TEST 4: call: RSA of 1024, 3072 and 4096 bits
--- request eval
[map { "POST /call/$_\n[$_.0]" } 1024, 3072, 4096]
--- response_body eval
[map { "[$_.0]" } 1024, 3072, 4096]
--- error_code eval
[(200) x 3]



=== TEST 5: call: the key pair that the documents print
--- request
POST /call/printed
{"orderNo":"p_1", "amount":1.0}
--- response_body chomp
{"orderNo":"p_1", "amount":1.0}



=== TEST 6: call: nothing at all is an empty object
--- request
POST /call
--- response_body chomp
{}



=== TEST 7: call: what is no JSON is not sealed
--- request eval
["POST /wire\nparam", "POST /wire\n{} {}", "POST /wire\n{\"a\":1,}",
 "POST /wire\n\"\xc0\xaf\""]
--- error_code eval
[400, 400, 400, 400]
--- response_body_like eval
[('"detail":"request: ') x 4]
--- error_log
envelope: profile "ours" call request: 
--- no_access_log
upstream 127.0.0.1
--- no_error_log
[alert]



=== TEST 8: call: answers are plain and pass, errors too
--- request eval
["POST /call/answer\n{}", "POST /call/answer\n{}", "POST /call/error\n{}"]
--- more_headers eval
[map { ::answered_with($_) } ' {"code":"40004", "msg":"none" }', 'no JSON', '']
--- response_body eval
[' {"code":"40004", "msg":"none" }', 'no JSON',
 '{"error":"try later", "n": 1.0 }  ']
--- error_code eval
[200, 200, 500]



=== TEST 9: webhook: sealed by the peer, opened by us, to the byte
--- raw_request eval
::post('/webhook', ::webhook("\n " . ::odd() . "\t\r\n"))
--- response_body eval
"\n " . ::odd() . "\t\r\n"



=== TEST 10: webhook: 1 byte, 1 MB
--- request eval
["POST /webhook\n" . ::webhook('1'),
 "POST /webhook\n" . ::webhook(::text_of_length(1 << 20))]
--- response_body eval
['1', ::text_of_length(1 << 20)]
--- error_code eval
[200, 200]
--- timeout: 20



=== TEST 11: webhook: other spellings of the same characters are the same message
--- request eval
my $wire = ::webhook('{"a":"x/y"}');
["POST /webhook\n$wire", "POST /webhook\n" . $wire =~ s{x/y}{x\\/\\u0079}r,
 "POST /webhook\n" . $wire =~ s/"param"/"p\\u0061ram"/r,
 "POST /webhook\n" . $wire =~ s/"sign":/"\\u0073ign" \t: /r]
--- response_body eval
[('{"a":"x/y"}') x 4]
--- error_code eval
[(200) x 4]



=== TEST 12: webhook: RSA of 1024, 3072 and 4096 bits
--- request eval
[map { "POST /webhook/$_\n" . ::webhook("[$_.0]", "$_.pem") }
     1024, 3072, 4096]
--- response_body eval
[map { "[$_.0]" } 1024, 3072, 4096]
--- error_code eval
[(200) x 3]



=== TEST 13: webhook: the key pair that the documents print
--- request eval
"POST /webhook/printed\n"
. ::webhook('{"orderNo":"p_1", "amount":1.0}', "printed-private.b64")
--- response_body chomp
{"orderNo":"p_1", "amount":1.0}



=== TEST 14: webhook: the printed signature is one under the printed key, and is good for no other text
--- init
::spew('printed.pem', ::openssl('pkey -pubin -inform DER',
                            ::unb64(::slurp('printed-public.b64'))));
my $info = ::openssl('pkeyutl -verifyrecover -pubin -inkey printed.pem',
                   ::unb64($::signature));
Test::More::is(substr(::hex_of($info), -64), 'd3494c97b1fe103c8f99d202a8c419d7'
                                           . '66ec0373ad62f4068034743e4679e3a6',
               'the digest in the printed signature');
--- request eval
[map { qq(POST /webhook/printed\n{"param":"$_","sign":"$::signature"}) }
     '{}', '{\"appId\":\"123456\"}']
--- error_code eval
[401, 401]
--- response_body eval
[(::unauthorized()) x 2]
--- error_log
envelope: profile "printed" webhook webhook: sign sign: 
--- no_access_log
upstream 127.0.0.1
--- no_error_log
[alert]



=== TEST 15: webhook: one character of param changed
--- request eval
[map { "POST /webhook\n" . $_->(::webhook('{"amount" : 10}')) }
     sub { $_[0] =~ s/10/11/r }, sub { $_[0] =~ s/ : /:/r },
     sub { $_[0] =~ s/10\}/10} /r }]
--- error_code eval
[(401) x 3]
--- response_body eval
[(::unauthorized()) x 3]
--- error_log
envelope: profile "ours" webhook webhook: sign sign: 
--- no_access_log
upstream 127.0.0.1
--- no_error_log
[alert]



=== TEST 16: webhook: what is signed but no JSON is not handed on, nor told apart from a wrong signature
--- request eval
[map { my $text = $_;
       my $sign = ::b64(::openssl('dgst -sha256 -sign platform.pem', $text));
       $text =~ s/([\\"])/\\$1/g;
       qq(POST /webhook\n{"param":"$text","sign":"$sign"}) }
     'SUCCESS', '{"a":1}}', '{"a":01}', ' ']
--- error_code eval
[401, 401, 401, 401]
--- response_body eval
[(::unauthorized()) x 4]
--- error_log eval
qr/envelope: profile "ours" webhook webhook: (?:field|body) param: /
--- no_access_log
upstream 127.0.0.1
--- no_error_log
[alert]



=== TEST 17: webhook: param that is not a string, or absent; sign that is not, or absent
--- request eval
my $wire = ::webhook('{}');
["POST /webhook\n" . $wire =~ s/"param":\K".*"/{}/r,
 "POST /webhook\n" . $wire =~ s/"param":/"params":/r,
 "POST /webhook\n" . $wire =~ s/"sign":\K".*?"/1/r,
 "POST /webhook\n" . $wire =~ s/"sign":/"signs":/r,
 "POST /webhook\n" . $wire =~ s/"sign":\K".*?"/null/r,
 "POST /webhook\n" . $wire =~ s/"param":\K".*"/""/r,
 "POST /webhook\n[$wire]"]
--- error_code eval
[(400) x 7]
--- response_body eval
[(::bad_request()) x 7]
--- error_log
envelope: profile "ours" webhook webhook: 
--- no_access_log
upstream 127.0.0.1
--- no_error_log
[alert]



=== TEST 18: webhook: other members are dropped: only what was signed arrives
--- request eval
"POST /webhook\n" . ::webhook('{"a":1.0}') =~ s/\A\{/{"admin":true,/r
--- response_body chomp
{"a":1.0}



=== TEST 19: webhook: a key ring
--- request eval
["POST /webhook/ring\n" . ::webhook('[1.0]'),
 "POST /webhook/ring\n" . ::webhook('[1.0]', 'old.pem')]
--- response_body eval
['[1.0]', '[1.0]']
--- error_code eval
[200, 200]



=== TEST 20: webhook: under no key of the ring
--- request eval
["POST /webhook/ring\n" . ::webhook('[1.0]', 'stranger.pem'),
 "POST /webhook/ring\n" . ::webhook('[1.0]', 'merchant.pem')]
--- error_code eval
[401, 401]
--- response_body eval
[(::unauthorized()) x 2]
--- error_log
envelope: profile "ring" webhook webhook: sign sign: 
--- no_access_log
upstream 127.0.0.1
--- no_error_log
[alert]



=== TEST 21: webhook: the reply is plain and passes
--- request eval
"POST /webhook/answer\n" . ::webhook('{}')
--- more_headers eval
::answered_with('{"code" : "0"}')
--- response_body chomp
{"code" : "0"}



=== TEST 22: serve: sealed by the peer, opened by us, answered in plain
--- raw_request eval
::post('/serve', ::peer('E seal-request --merchant merchant.key',
                        ::odd() . "\n"))
--- response_body eval
::odd() . "\n"



=== TEST 23: serve: another appId, and none
--- request eval
my $wire = ::peer('E seal-request --merchant merchant.key', '{}');
["POST /serve\n" . $wire =~ s/"123456"/"123457"/r,
 "POST /serve\n" . $wire =~ s/"123456"/123456/r,
 "POST /serve\n" . $wire =~ s/"appId":"123456",//r]
--- error_code eval
[400, 400, 400]
--- response_body eval
[(::bad_request()) x 3]
--- error_log
envelope: profile "theirs" serve request: set appId: 
--- no_access_log
upstream 127.0.0.1
--- no_error_log
[alert]



=== TEST 24: notify: sealed by us, opened by the peer, to the byte
--- raw_request eval
::post('/notify', "\n " . ::odd() . "\t\r\n")
--- response_body eval
"\n " . ::odd() . "\t\r\n"



=== TEST 25: a thousand records, all ways, to the byte
--- request eval
my $text = ::records();
["POST /call\n$text", "POST /webhook\n" . ::webhook($text),
 "POST /serve\n" . ::peer('E seal-request --merchant merchant.key', $text),
 "POST /notify\n$text"]
--- response_body eval
[(::records()) x 4]
--- error_code eval
[(200) x 4]
--- timeout: 20



=== TEST 26: webhook: one byte of a thousand records makes them no JSON
--- request eval
[map { my $text = ::records();
       $_->($text);
       my $sign = ::b64(::openssl('dgst -sha256 -sign platform.pem', $text));
       $text =~ s/([\\"])/\\$1/g;
       $text =~ s/\n/\\n/g;
       $text =~ s/\r/\\r/g;
       $text =~ s/\t/\\t/g;
       qq(POST /webhook\n{"param":"$text","sign":"$sign"}) }
     sub { $_[0] =~ s/"tx_0001400\K"// }, sub { $_[0] =~ s/"tx_0001400"\K,// },
     sub { $_[0] =~ s/1401, \K"amount"// }, sub { $_[0] =~ s/1401, \K/,/ },
     sub { $_[0] =~ s/1401.*?\K\[ \]/[ }/ }, sub { $_[0] =~ s/1403.*?\K\]/,]/ },
     sub { $_[0] =~ s/1403.*?\K\\u5/\\ux/ }, sub { $_[0] =~ s/1403.*?\K\\n/\n/ },
     sub { $_[0] =~ s/1404".*?\Kfalse/False/s },
     sub { $_[0] =~ s/"memo" \K:// }, sub { $_[0] =~ s/\]( , "memo")/$1/ },
     sub { $_[0] =~ s/\]( , "memo")/}$1/ }, sub { $_[0] .= '}' }]
--- error_code eval
[(401) x 13]
--- response_body eval
[(::unauthorized()) x 13]
--- error_log eval
qr/envelope: profile "ours" webhook webhook: (?:field|body) param: /
--- no_access_log
upstream 127.0.0.1
--- no_error_log
[alert]
--- timeout: 20



=== TEST 27: webhook: one byte of a thousand records is no UTF-8, or has no place in a string
--- request eval
my $wire = ::webhook(::records());
[map { my $text = $wire;
       $_->($text);
       "POST /webhook\n$text" }
     sub { $_[0] =~ s/1402.*?\K\xe5\x95\x86/\xe5\x95/ },
     sub { $_[0] =~ s/1402.*?\K\xe5\x95\x86/\xed\xa5\x86/ },
     sub { $_[0] =~ s/1402.*?\K\xf0\x9f/\xf0\x8f/ },
     sub { $_[0] =~ s/1404.*?\K\\n/\n/ },
     sub { $_[0] =~ s/1404.*?\K\\n/\\v/ }]
--- error_code eval
[(400) x 5]
--- response_body eval
[(::bad_request()) x 5]
--- error_log
envelope: profile "ours" webhook webhook: 
--- no_access_log
upstream 127.0.0.1
--- no_error_log
[alert]
--- timeout: 20

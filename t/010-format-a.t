# Format A, "content": the JSON in RSA blocks (PKCS#1 v1.5), then base64, then
# hex.  The other end is t/peers/formats.py; its own answers hold what it has
# read, so that one answer shows both directions.

use Test::Nginx::Socket;
use FindBin;
use lib "$FindBin::Bin/peers/lib";
use Envelope::Peer;

make_rsa(platform => 2048, merchant => 2048, old => 2048, stranger => 2048,
         1024 => 1024, 3072 => 3072, 4096 => 4096);

our $messages = <<'EOC';
    request {
        body  content;
        field content = json | rsa-pkcs1 key=platform | base64 | hex;
    }

    response {
        when  code 0;
        field data optional = json | rsa-pkcs1 key=merchant | base64 | hex;
    }

    webhook {
        field data optional = json | rsa-pkcs1 key=merchant | base64 | hex;
    }
EOC

our $answer = qq( {"code" : 0,"msg":"ok \xe2\x98\x83", "data":%s}\n);

start_peers(
    '/provider' => provider('A', '--platform platform.pem'
                            . ' --merchant merchant.pub.pem', $answer),
    '/old' => provider('A', '--platform platform.pem'
                       . ' --merchant old.pub.pem', $answer),
    '/stranger' => provider('A', '--platform platform.pem'
                            . ' --merchant stranger.pub.pem', $answer),
    (map { ("/$_" => provider('A', "--platform $_.pem --merchant $_.pem",
                              $answer)) } 1024, 3072, 4096),
    '/subscriber' => subscriber('A', '--merchant merchant.pem'),
    '/application' => fixed('{ "code":0, "data":%s }'),
);

our @plain_answers = (
    qq({"code":1001,"msg":"\xe5\x8d\xa1","data":"abc"}), '{"code":1 }',
    '{"data":"abc"}', '{"code":0,"msg":"ok"}', '{ "code":0,"data":null}',
    '{"code":0,"data":"" }', '{"code":-0,"data":{"a":1.0}}',
);

# what an answer or a webhook with this data is on the wire

sub sealed {
    my ($data, $key) = @_;

    $key //= 'merchant';
    return peer("A seal-response --key $key.pub.pem", sprintf $answer, $data);
}

# bytes of ciphertext in a request on the wire

sub ciphertext_length {
    my ($hex) = $_[0] =~ /\A\{"content":"([0-9a-f]+)"\}\z/ or return $_[0];
    my $text = pack 'H*', $hex;
    my $data = unb64($text);

    return b64($data) eq $text ? length $data : 'not canonical base64';
}

add_block_preprocessor(sub {
    my $block = shift;

    # that webhooks of this format are not authenticated
    $block->set_value('suppress_stderr', 1);

    $block->set_value('no_error_log', "[error]\n[alert]\n")
        if !defined $block->error_log;

    $block->set_value('http_config', join '', $http,
        profile('ours', $messages, platform => 'platform.pub.pem',
                merchant => 'merchant.pem'),
        profile('theirs', $messages, platform => 'platform.pem',
                merchant => 'merchant.pub.pem'),
        profile('ring', $messages,
                platform => 'platform.pub.pem|stranger.pub.pem',
                merchant => 'merchant.pem|old.pem'),
        profile('jdk', $messages, platform => 'platform.pub.pem',
                merchant => '$TEST_NGINX_JDK/rsa2048.pem'),
        map { profile("a$_", $messages, platform => "$_.pub.pem",
                      merchant => "$_.pem") } 1024, 3072, 4096);

    $block->set_value('config', locations(<<'EOC'));
/call call:ours /provider
/call/1024 call:a1024 /1024
/call/3072 call:a3072 /3072
/call/4096 call:a4096 /4096
/call/old call:ring /old
/call/new call:ring /provider
/call/stranger call:ring /stranger
/call/answer call:ours /answer
/call/error call:ours /error
/wire call:ours /echo
/webhook webhook:ours /app
/webhook/ring webhook:ring /app
/webhook/jdk webhook:jdk /app
/serve serve:theirs /application
/serve/plain serve:theirs /answer
/notify notify:theirs /subscriber
EOC
});

log_level('info');

plan tests => repeat_each() * 304;

run_tests();

__DATA__

=== TEST 1: call: sealed by us and opened by the peer, sealed by it and opened by us, to the byte
--- raw_request eval
::post('/call', ::odd())
--- response_body eval
sprintf $::answer, ::odd()
--- response_headers
Content-Type: application/json



=== TEST 2: call: white space around the body is part of it
--- raw_request eval
::post('/call', "\n\t " . ::odd() . " \r\n")
--- response_body eval
sprintf $::answer, "\n\t " . ::odd() . " \r\n"



=== TEST 3: call: the wire is content alone: hex of base64, a new ciphertext each time
--- request eval
[(qq(POST /wire\n{"card_id":"c_1"})) x 2]
--- response_body_filters eval
[[sub { $::first = shift }], [sub { ($_[0] eq $::first) . $_[0] }]]
--- response_body_like eval
[(qr/\A\{"content":"(?:[0-9a-f]{2})+"\}\z/) x 2]



=== TEST 4: call: 1 byte, exactly one block (245 bytes), one block and a byte, two blocks and a byte
--- request eval
[map { "POST /call\n" . ::text_of_length($_) } 1, 244, 245, 246, 491]
--- response_body eval
[map { sprintf $::answer, ::text_of_length($_) } 1, 244, 245, 246, 491]
--- error_code eval
[(200) x 5]



=== TEST 5: call: as many blocks as are needed
--- request eval
[map { "POST /wire\n" . ::text_of_length($_) } 1, 244, 245, 246, 491]
--- response_body_filters eval
\&::ciphertext_length
--- response_body eval
[256, 256, 256, 512, 768]
--- error_code eval
[(200) x 5]



=== TEST 6: call: RSA of 1024, 3072 and 4096 bits, some blocks of each
--- request eval
[map { "POST /call/$_\n" . ::text_of_length(1500) } 1024, 3072, 4096]
--- response_body eval
[(sprintf $::answer, ::text_of_length(1500)) x 3]
--- error_code eval
[(200) x 3]



=== TEST 7: call: exactly one block of 1024, 3072 and 4096 bits, and a byte more
--- request eval
[map { ("POST /call/$_\n" . ::text_of_length($_ / 8 - 11),
        "POST /call/$_\n" . ::text_of_length($_ / 8 - 10)) }
     1024, 3072, 4096]
--- response_body eval
[map { (sprintf($::answer, ::text_of_length($_ / 8 - 11)),
        sprintf($::answer, ::text_of_length($_ / 8 - 10))) }
     1024, 3072, 4096]
--- error_code eval
[(200) x 6]



=== TEST 8: call: 100 KB
--- request eval
"POST /call\n" . ::text_of_length(102400)
--- response_body eval
sprintf $::answer, ::text_of_length(102400)
--- timeout: 20



=== TEST 9: call: a body that is no object, and one that is empty
--- request eval
["POST /call\n{}", "POST /call\n[ ]", "POST /call\nnull", "POST /call\n-0",
 "POST /call"]
--- response_body eval
[map { sprintf $::answer, $_ } '{}', '[ ]', 'null', '-0', '{}']
--- error_code eval
[(200) x 5]



=== TEST 10: call: what is no JSON is not sealed, and the provider hears nothing
--- request eval
["POST /wire\n{\"a\":1", "POST /wire\n{\"a\":01}", "POST /wire\n{\"a\":\"\xff\"}",
 "POST /wire\n{\"a\":1}}", "POST /wire\n{a:1}"]
--- error_code eval
[(400) x 5]
--- response_body_like eval
[(qr/"title":"Bad Request","status":400,"detail":"request: JSON /) x 5]
--- error_log
envelope: profile "ours" call request: JSON 
--- no_access_log
upstream 127.0.0.1
--- no_error_log
[alert]



=== TEST 11: call: answers that hold nothing sealed pass unchanged
--- request eval
[("POST /call/answer\n{}") x 7]
--- more_headers eval
[map { ::answered_with($_) } @::plain_answers]
--- response_body eval
\@::plain_answers
--- error_code eval
[(200) x 7]



=== TEST 12: call: a code that is 0 as a string is 0
--- request
POST /call/answer
{}
--- more_headers eval
::answered_with(::sealed(::odd()) =~ s/"code" : 0/"code" : "0"/r)
--- response_body eval
sprintf($::answer, ::odd()) =~ s/"code" : 0/"code" : "0"/r



=== TEST 13: call: an error of HTTP passes with its status
--- request
POST /call/error
{}
--- error_code: 500
--- response_body eval
qq({"error":"try later", "n": 1.0 }  )
--- response_headers
Content-Length: 34



=== TEST 14: call: an answer that cannot be opened is 502, and the reason is told inside
--- request
POST /call/stranger
{"a":1}
--- error_code: 502
--- response_headers
Content-Type: application/problem+json
--- response_body_like: ^\{"type":"about:blank","title":"Bad Gateway","status":502,"detail":"response: field data: 
--- error_log
envelope: profile "ring" call response: field data: 
--- no_error_log
[alert]



=== TEST 15: call: a key ring: answers under either of our keys, requests under their first
--- request eval
["POST /call/new\n{\"a\":1}", "POST /call/old\n{\"a\" : 2}",
 "POST /call/old\n" . ::text_of_length(1000)]
--- response_body eval
[sprintf($::answer, '{"a":1}'), sprintf($::answer, '{"a" : 2}'),
 sprintf($::answer, ::text_of_length(1000))]
--- error_code eval
[(200) x 3]



=== TEST 16: webhook: sealed by the peer, opened by us, to the byte
--- raw_request eval
::post('/webhook', ::sealed(::odd()))
--- response_body eval
sprintf $::answer, ::odd()



=== TEST 17: webhook: 1 byte, exactly one block, one block and a byte
--- request eval
[map { "POST /webhook\n" . ::sealed(::text_of_length($_)) } 1, 245, 246]
--- response_body eval
[map { sprintf($::answer, ::text_of_length($_)) =~ s/^\s+|\s+$//gr }
     1, 245, 246]
--- error_code eval
[(200) x 3]



=== TEST 18: webhook: 100 KB
--- raw_request eval
::post('/webhook', ::sealed(::text_of_length(102400)))
--- response_body eval
sprintf $::answer, ::text_of_length(102400)
--- timeout: 20



=== TEST 19: webhook: without data, with null or an empty string there is nothing to open
--- request eval
["POST /webhook\n" . '{"auth_id":"a_1", "card_id":"c_1"}',
 "POST /webhook\n" . '{"data":null ,"x":1.0}', "POST /webhook\n" . '{"data":""}']
--- response_body eval
['{"auth_id":"a_1", "card_id":"c_1"}', '{"data":null ,"x":1.0}',
 '{"data":""}']
--- error_code eval
[(200) x 3]



=== TEST 20: webhook: data that is not a string is refused with 400, the application hears nothing
--- request
POST /webhook
{"business_type":"Card3ds","data":{"a":1}}
--- error_code: 400
--- response_body eval
::bad_request()
--- error_log
envelope: profile "ours" webhook webhook: field data: data is not a string
--- no_access_log
upstream 127.0.0.1
--- no_error_log
[alert]



=== TEST 21: webhook: a key ring: messages under either key
--- request eval
[map { "POST /webhook/ring\n" . ::sealed('{"a":1.0}', $_) }
     qw( merchant old )]
--- response_body eval
[(sprintf($::answer, '{"a":1.0}') =~ s/^\s+|\s+$//gr) x 2]
--- error_code eval
[200, 200]



=== TEST 22: webhook: a key ring: a message under no key of it
--- request eval
"POST /webhook/ring\n" . ::sealed('{"a":1.0}', 'stranger')
--- error_code: 401
--- response_body eval
::unauthorized()
--- error_log
envelope: profile "ring" webhook webhook: field data: 
--- no_access_log
upstream 127.0.0.1
--- no_error_log
[alert]



=== TEST 23: webhook: a key ring: a message of many blocks under the second key
--- raw_request eval
::post('/webhook/ring', ::sealed(::text_of_length(1000), 'old'))
--- response_body eval
sprintf $::answer, ::text_of_length(1000)



=== TEST 24: serve: sealed by the peer, opened by us; sealed by us, opened by the peer
--- raw_request eval
::post('/serve', ::peer('A seal-request --platform platform.pub.pem',
                        ::odd()))
--- response_body_filters eval
sub { ::peer('A open-response --merchant merchant.pem', shift) }
--- response_body eval
'{ "code":0, "data":' . ::odd() . ' }'



=== TEST 25: serve: the answer on the wire holds no plain text
--- raw_request eval
::post('/serve', ::peer('A seal-request --platform platform.pub.pem',
                        '{"a":1.0}'))
--- response_body_like: ^\{ "code":0, "data":"(?:[0-9a-f]{2})+" \}$



=== TEST 26: serve: an answer with another code, without data or with null leaves unchanged
--- request eval
[map { "POST /serve/plain\n"
       . ::peer('A seal-request --platform platform.pub.pem', '{}') } 1 .. 7]
--- more_headers eval
[map { ::answered_with($_) } @::plain_answers]
--- response_body eval
\@::plain_answers
--- error_code eval
[(200) x 7]



=== TEST 27: serve: a request under another key, and a plain one, are refused without a reason
--- request eval
["POST /serve\n" . ::peer('A seal-request --platform stranger.pub.pem', '{}'),
 "POST /serve\n" . '{"card_id":"c_1"}']
--- error_code eval
[401, 400]
--- response_body eval
[::unauthorized(), ::bad_request()]
--- error_log eval
qr/envelope: profile "theirs" serve request: (?:field|body) content: /
--- no_access_log
upstream 127.0.0.1
--- no_error_log
[alert]



=== TEST 28: notify: sealed by us, opened by the peer
--- raw_request eval
::post('/notify', '{"type" : "card","data" : ' . ::odd() . ',"n":1.0}')
--- response_body eval
'{"type" : "card","data" : ' . ::odd() . ',"n":1.0}'



=== TEST 29: the Java platform: RSA/ECB/PKCS1Padding
--- request eval
"POST /webhook/jdk\n" . '{"data":"' . ::hex_of(::b64(::jdk('pkcs1.bin'))) . '"}'
--- response_body eval
'{"data":' . ::jdk('text.json') . '}'

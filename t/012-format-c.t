# Format C, dataContent: base64, then the private key's operation in blocks
# (type-1 padding), then hex; the public key reads it.  The other end is
# t/peers/formats.py.

use Test::Nginx::Socket;
use FindBin;
use lib "$FindBin::Bin/peers/lib";
use Envelope::Peer;

make_rsa(platform => 1024, merchant => 1024, old => 1024, stranger => 1024,
         2048 => 2048, 3072 => 3072, 4096 => 4096);

# as such keys come: PKCS#12 with a password, and certificates
for my $name (qw( platform merchant )) {
    openssl("req -x509 -new -key $name.pem -sha256 -days 30 -subj /CN=$name"
            . " -outform DER -out $name.cer");
}

spew('password', 'hunter2');
openssl('x509 -inform DER -in merchant.cer -out merchant.crt');
openssl('pkcs12 -export -inkey merchant.pem -in merchant.crt'
        . ' -passout file:password -out merchant.pfx');

our $messages = <<'EOC';
    request {
        body  dataContent;
        set   version 1.0.0;
        set   dataType JSON;
        set   userNo 10001 number;
        field dataContent = json | base64 | rsa-private key=merchant | hex;
    }

    response {
        when  success true;
        field result = json | base64 | rsa-private key=platform | hex;
    }

    webhook {
        field data = json | base64 | rsa-private key=platform | hex;
    }
EOC

our $answer = qq( {"success" : true,"errorCode":null,"errorMsg":null,)
              . qq("result":%s, "userNo":"10001","async":false }\n);
our $event = qq({ "type":"card_3ds_otp", "data" : %s,"version":"1.0.0",)
             . qq("userNo":10001});

our $theirs = '--platform platform.pem --merchant merchant.cer';

start_peers(
    '/provider' => provider('C', $theirs, $answer),
    '/old' => provider('C', '--platform old.pem --merchant merchant.cer',
                       $answer),
    (map { ("/$_" => provider('C', "--platform $_.pem --merchant $_.pem",
                              $answer)) } 2048, 3072, 4096),
    '/subscriber' => subscriber('C', '--platform platform.cer'),
    '/application' => fixed('{"success":true,"errorMsg":"", "result":%s }'),
    '/success' => fixed('SUCCESS'),
);

sub webhook {
    my ($data, $key) = @_;

    $key //= 'platform';
    return peer("C seal-webhook --platform $key.pem", sprintf $event, $data);
}

# bytes in the blocks of a request on the wire

sub ciphertext_length {
    my ($hex) = $_[0] =~ /"dataContent":"([0-9a-f]+)"/ or return $_[0];

    return length($hex) / 2;
}

our @plain_answers = (
    qq({"success":false,"errorCode":"100001","errorMsg":"\xe4\xbd\x99)
    . qq(\xe9\xa2\x9d","result":"","userNo":"10001","async":false}),
    '{"success":false,"result":"ab" }', '{"result":"ab"}',
    '{"success":null,"result":1.0}', '{ }',
);

add_block_preprocessor(sub {
    my $block = shift;

    # that webhooks of this format can be sent again
    $block->set_value('suppress_stderr', 1);

    $block->set_value('no_error_log', "[error]\n[alert]\n")
        if !defined $block->error_log;

    $block->set_value('http_config', join '', $http,
        profile('ours', $messages, platform => 'platform.cer',
                merchant => "merchant.pfx password=$keys/password"),
        profile('theirs', $messages, platform => 'platform.pem',
                merchant => 'merchant.cer'),
        profile('ring', $messages, platform => 'platform.cer|old.pub.pem',
                merchant => 'merchant.pem'),
        profile('jdk', $messages,
                platform => '$TEST_NGINX_JDK/rsa1024.pub.pem',
                merchant => 'merchant.pem'),
        map { profile("c$_", $messages, platform => "$_.pub.pem",
                      merchant => "$_.pem") } 2048, 3072, 4096);

    $block->set_value('config', locations(<<'EOC'));
/call call:ours /provider
/call/2048 call:c2048 /2048
/call/3072 call:c3072 /3072
/call/4096 call:c4096 /4096
/call/ring call:ring /provider
/call/old call:ring /old
/call/stranger call:ours /old
/call/answer call:ours /answer
/call/error call:ours /error
/wire call:ours /echo
/wire/2048 call:c2048 /echo
/webhook webhook:ours /app
/webhook/ring webhook:ring /app
/webhook/jdk webhook:jdk /app
/webhook/success webhook:ours /success
/serve serve:theirs /application
/serve/plain serve:theirs /answer
/notify notify:theirs /subscriber
EOC
});

log_level('info');

plan tests => repeat_each() * 266;

run_tests();

__DATA__

=== TEST 1: call: sealed by us and opened by the peer, sealed by it and opened by us, to the byte
--- raw_request eval
::post('/call', "\r\n\t " . ::odd() . "\n ")
--- response_body eval
sprintf $::answer, "\r\n\t " . ::odd() . "\n "



=== TEST 2: call: the wire, which is the one that the peer makes
--- request
POST /wire
{"cardBin":"531993"}
--- response_body_filters eval
sub {
    my ($data) = $_[0] =~ /\A\{"dataContent":"([0-9a-f]+)","version":"1\.0\.0","dataType":"JSON","userNo":10001\}\z/
        or return $_[0];
    return $data;
}
--- response_body eval
::peer('C seal-request --merchant merchant.pem', '{"cardBin":"531993"}')
    =~ /"dataContent":"(\w+)"/ && $1



=== TEST 3: call: openssl recovers what we made
--- request
POST /wire
{"cardBin":"531993"}
--- response_body_filters eval
sub {
    my ($data) = $_[0] =~ /"dataContent":"(\w+)"/;
    return ::unb64(::openssl('pkeyutl -verifyrecover -pubin -inkey merchant.pub.pem',
                             pack 'H*', $data));
}
--- response_body chomp
{"cardBin":"531993"}



=== TEST 4: call: 1 byte, nearly one block, a byte more, exactly four blocks, a byte more
--- request eval
[map { "POST /call\n" . ::text_of_length($_) } 1, 87, 88, 351, 352]
--- response_body eval
[map { sprintf $::answer, ::text_of_length($_) } 1, 87, 88, 351, 352]
--- error_code eval
[(200) x 5]



=== TEST 5: call: as many blocks as are needed
--- request eval
[map { "POST /wire\n" . ::text_of_length($_) } 1, 87, 88, 351, 352]
--- response_body_filters eval
\&::ciphertext_length
--- response_body eval
[128, 128, 256, 512, 640]
--- error_code eval
[(200) x 5]



=== TEST 6: call: exactly four blocks of 2048 bits, and a byte more
--- request eval
[map { "POST /wire/2048\n" . ::text_of_length($_) } 735, 736]
--- response_body_filters eval
\&::ciphertext_length
--- response_body eval
[1024, 1280]
--- error_code eval
[200, 200]



=== TEST 7: call: RSA of 2048, 3072 and 4096 bits
--- request eval
[map { "POST /call/$_\n" . ::text_of_length(1500) } 2048, 3072, 4096]
--- response_body eval
[(sprintf $::answer, ::text_of_length(1500)) x 3]
--- error_code eval
[(200) x 3]



=== TEST 8: call: 100 KB
--- request eval
"POST /call\n" . ::text_of_length(102400)
--- response_body eval
sprintf $::answer, ::text_of_length(102400)
--- timeout: 20



=== TEST 9: call: what is no JSON is not sealed, and the provider hears nothing
--- request eval
["POST /wire\n{\"a\":1", "POST /wire\n[1,]", "POST /wire\n\xef\xbb\xbf{}"]
--- error_code eval
[(400) x 3]
--- response_body_like eval
[('"detail":"request: JSON ') x 3]
--- error_log
envelope: profile "ours" call request: JSON 
--- no_access_log
upstream 127.0.0.1
--- no_error_log
[alert]



=== TEST 10: call: answers without success pass unchanged
--- request eval
[("POST /call/answer\n{}") x 5]
--- more_headers eval
[map { ::answered_with($_) } @::plain_answers]
--- response_body eval
\@::plain_answers
--- error_code eval
[(200) x 5]



=== TEST 11: call: an error of HTTP passes with its status
--- request
POST /call/error
{}
--- error_code: 500
--- response_body eval
qq({"error":"try later", "n": 1.0 }  )



=== TEST 12: call: success without a result, with null or an empty string, is refused
--- request eval
[("POST /call/answer\n{}") x 4]
--- more_headers eval
[map { ::answered_with("{\"success\":true$_}") }
     '', ',"result":null', ',"result":""', ',"result":{"a":1}']
--- error_code eval
[(502) x 4]
--- response_body_like eval
[('"title":"Bad Gateway","status":502,"detail":"response: field result: ') x 4]
--- error_log
envelope: profile "ours" call response: field result: 
--- no_error_log
[alert]



=== TEST 13: call: a key ring: answers under either of the platform's keys
--- request eval
["POST /call/ring\n{\"a\":1.0}", "POST /call/old\n" . ::text_of_length(500)]
--- response_body eval
[sprintf($::answer, '{"a":1.0}'), sprintf($::answer, ::text_of_length(500))]
--- error_code eval
[200, 200]



=== TEST 14: call: an answer under another key is refused
--- request
POST /call/stranger
{"a":1.0}
--- error_code: 502
--- response_body_like: "detail":"response: field result: 
--- error_log
envelope: profile "ours" call response: field result: 
--- no_error_log
[alert]



=== TEST 15: webhook: sealed by the peer, opened by us, to the byte
--- raw_request eval
::post('/webhook', ::webhook(::odd()))
--- response_body eval
sprintf $::event, ::odd()



=== TEST 16: webhook: 1 byte, four whole blocks, a byte more, 100 KB
--- request eval
[map { "POST /webhook\n" . ::webhook(::text_of_length($_)) }
     1, 351, 352, 102400]
--- response_body eval
[map { sprintf $::event, ::text_of_length($_) } 1, 351, 352, 102400]
--- error_code eval
[(200) x 4]
--- timeout: 20



=== TEST 17: webhook: sealed by openssl, which takes whole blocks too
--- request eval
my $text = ::b64(::text_of_length(252));
my $data = CORE::join '', map { ::openssl('rsautl -sign -inkey platform.pem', $_) }
                        $text =~ /.{1,117}/g;
"POST /webhook\n" . sprintf $::event, '"' . uc(::hex_of($data)) . '"'
--- response_body eval
sprintf $::event, ::text_of_length(252)



=== TEST 18: webhook: data absent, null, empty, not a string: refused
--- request eval
["POST /webhook\n{}", map { "POST /webhook\n" . sprintf $::event, $_ }
                           'null', '""', '{"a":1}', '["ab"]']
--- error_code eval
[(400) x 5]
--- response_body eval
[(::bad_request()) x 5]
--- error_log
envelope: profile "ours" webhook webhook: field data: 
--- no_access_log
upstream 127.0.0.1
--- no_error_log
[alert]



=== TEST 19: webhook: a key ring: either key of theirs
--- request eval
[map { "POST /webhook/ring\n" . ::webhook('{"a":1.0}', $_) }
     qw( platform old )]
--- response_body eval
[(sprintf $::event, '{"a":1.0}') x 2]
--- error_code eval
[200, 200]



=== TEST 20: webhook: under no key of the ring
--- request eval
"POST /webhook/ring\n" . ::webhook('{"a":1.0}', 'stranger')
--- error_code: 401
--- response_body eval
::unauthorized()
--- error_log
envelope: profile "ring" webhook webhook: field data: 
--- no_access_log
upstream 127.0.0.1
--- no_error_log
[alert]



=== TEST 21: webhook: the bare SUCCESS of the application passes
--- request eval
"POST /webhook/success\n" . ::webhook('{"a":1.0}')
--- response_body chomp
SUCCESS



=== TEST 22: serve: sealed by the peer, opened by us; sealed by us, opened by the peer
--- raw_request eval
::post('/serve', ::peer('C seal-request --merchant merchant.pem', ::odd()))
--- response_body_filters eval
sub { ::peer('C open-response --platform platform.cer', shift) }
--- response_body eval
'{"success":true,"errorMsg":"", "result":' . ::odd() . ' }'



=== TEST 23: serve: answers without success leave unchanged
--- request eval
[map { "POST /serve/plain\n"
       . ::peer('C seal-request --merchant merchant.pem', '{}') } 1 .. 5]
--- more_headers eval
[map { ::answered_with($_) } @::plain_answers]
--- response_body eval
\@::plain_answers
--- error_code eval
[(200) x 5]



=== TEST 24: serve: another userNo, version or dataType, a userNo that is a string: refused
--- request eval
[map { my $wire = ::peer('C seal-request --merchant merchant.pem', '{}');
       "POST /serve\n" . $wire =~ s/$_->[0]/$_->[1]/r }
     ['10001', '10002'], ['1\.0\.0', '1.0.1'], ['"JSON"', '"XML"'],
     ['10001', '"10001"']]
--- error_code eval
[(400) x 4]
--- response_body eval
[(::bad_request()) x 4]
--- error_log
envelope: profile "theirs" serve request: set 
--- no_access_log
upstream 127.0.0.1
--- no_error_log
[alert]



=== TEST 25: serve: a request under another key
--- request eval
"POST /serve\n" . ::peer('C seal-request --merchant stranger.pem', '{}')
--- error_code: 401
--- response_body eval
::unauthorized()
--- error_log
envelope: profile "theirs" serve request: field dataContent: 
--- no_access_log
upstream 127.0.0.1
--- no_error_log
[alert]



=== TEST 26: notify: sealed by us, opened by the peer
--- raw_request eval
::post('/notify', sprintf $::event, ::odd())
--- response_body eval
sprintf $::event, ::odd()



=== TEST 27: the Java platform: a Cipher in ENCRYPT_MODE with a private key
--- request eval
"POST /webhook/jdk\n" . sprintf $::event, '"' . ::hex_of(::jdk('private.bin')) . '"'
--- response_body eval
sprintf $::event, ::jdk('text.json')

# Format D: the plain text is signed, then encrypted under a shared AES key
# (ECB).  The other end is t/peers/formats.py.

use Test::Nginx::Socket;
use FindBin;
use lib "$FindBin::Bin/peers/lib";
use Envelope::Peer;

make_rsa(platform => 2048, merchant => 2048, old => 2048, stranger => 2048,
         1024 => 1024, 3072 => 3072, 4096 => 4096);

our $aes = join '', map { chr rand 256 } 1 .. 16;
spew('aes.b64', b64($aes) . "\n");
spew('other.b64', b64('0123456789abcdef'));

our $messages = <<'EOC';
    request {
        sign  sign = rs256 key=merchant over=<bizContent> | base64;
        field bizContent = json | aes-128-ecb key=aes | base64;
    }

    response {
        when  statusCode 0;
        sign  sign = rs256 key=platform over=<bizContent> | base64;
        field bizContent = json | aes-128-ecb key=aes | base64;
    }

    webhook {
        sign  sign = rs256 key=platform over=<bizContent> | base64;
        field bizContent = json | aes-128-ecb key=aes | base64;
    }
EOC

our $answer = qq({ "statusCode" : 0,"bizContent":%s, "data":null}\n);

our $ours = '--platform platform.pub.pem --merchant merchant.pem'
            . ' --secret aes.b64';
our $theirs = '--platform platform.pem --merchant merchant.pub.pem'
              . ' --secret aes.b64';

start_peers(
    '/provider' => provider('D', $theirs, $answer),
    '/old' => provider('D', $theirs =~ s/platform\.pem/old.pem/r, $answer),
    '/stranger' => provider('D', $theirs =~ s/platform\.pem/stranger.pem/r,
                            $answer),
    (map { ("/$_" => provider('D', "--platform $_.pem --merchant $_.pem"
                                   . ' --secret aes.b64', $answer)) }
         1024, 3072, 4096),
    '/subscriber' => sub {
        my $wire = shift->{body};
        return http_ok(peer("D open-response $ours",
                            $wire =~ s/\A\{/{"statusCode":0,/r));
    },
    '/application' => fixed('{"n":1.0,"bizContent":%s,"statusCode":0 }'),
);

# an answer, and a webhook: the documents have none, so it is made as answers

sub sealed {
    my ($content, $options) = @_;

    return peer('D seal-response ' . ($options // $theirs),
                sprintf $answer, $content);
}

sub request {
    my $content = shift;

    return qq({"service":"createPayer","bizContent" : $content });
}

# JSON of so many bytes that is no string: of a string, <bizContent> is what
# it says, while the peers sign its text

sub content_of_length {
    my $n = shift;

    return $n < 5 ? '1' x $n : '["' . 'x' x ($n - 4) . '"]';
}

our @plain_answers = (
    '{"status":-1,"errorCode":"-1","errorMessage":"Payer exists","data":null}',
    '{"statusCode":1,"bizContent":"x","sign":"y"}', '{ "statusCode":null }',
    '{"statusCode":false,"bizContent":{"a":1.0}}', '{}',
);

add_block_preprocessor(sub {
    my $block = shift;

    $block->set_value('no_error_log', "[error]\n[alert]\n")
        if !defined $block->error_log;

    my @aes = ('secret aes' => 'aes.b64 base64');

    $block->set_value('http_config', join '', $http,
        profile('ours', $messages, platform => 'platform.pub.pem',
                merchant => 'merchant.pem', @aes),
        profile('theirs', $messages, platform => 'platform.pem',
                merchant => 'merchant.pub.pem', @aes),
        profile('ring', $messages, platform => 'old.pub.pem|platform.pub.pem',
                merchant => 'merchant.pem',
                'secret aes' => 'other.b64 base64|aes.b64 base64'),
        profile('jdk', <<'EOC',
    webhook {
        field bizContent = json | aes-128-ecb key=aes | base64;
        sign sign = rs256 key=platform over=<plain> | base64;
    }
EOC
                platform => '$TEST_NGINX_JDK/rsa2048.pub.pem',
                'secret aes' => '$TEST_NGINX_JDK/aes128.key base64'),
        map { profile("d$_", $messages, platform => "$_.pub.pem",
                      merchant => "$_.pem", @aes) } 1024, 3072, 4096);

    $block->set_value('config', locations(<<'EOC'));
/call call:ours /provider
/call/1024 call:d1024 /1024
/call/3072 call:d3072 /3072
/call/4096 call:d4096 /4096
/call/stranger call:ours /stranger
/call/answer call:ours /answer
/call/answer/ring call:ring /answer
/call/error call:ours /error
/wire call:ours /echo
/webhook webhook:ours /app
/webhook/jdk webhook:jdk /app
/serve serve:theirs /application
/serve/plain serve:theirs /answer
/notify notify:theirs /subscriber
EOC
});

log_level('info');

plan tests => repeat_each() * 240;

run_tests();

__DATA__

=== TEST 1: call: sealed by us and opened by the peer, sealed by it and opened by us, to the byte
--- raw_request eval
::post('/call', ::request(::odd()))
--- response_body eval
sprintf $::answer, ::odd()



=== TEST 2: call: the wire: bizContent is what openssl makes, sign is what openssl makes of the plain text
--- request eval
"POST /wire\n" . ::request('{"first" : 1.0}')
--- response_body eval
my $text = '{"first" : 1.0}';
sprintf '{"service":"createPayer","bizContent" : "%s","sign":"%s" }',
        ::b64(::openssl('enc -aes-128-ecb -K ' . ::hex_of($::aes), $text)),
        ::b64(::openssl('dgst -sha256 -sign merchant.pem', $text))



=== TEST 3: call: 1 byte, a byte less than an AES block, a block, a byte more
--- request eval
[map { "POST /call\n" . ::request(::content_of_length($_)) } 1, 15, 16, 17]
--- response_body eval
[map { sprintf $::answer, ::content_of_length($_) } 1, 15, 16, 17]
--- error_code eval
[(200) x 4]



=== TEST 4: call: bytes of ciphertext: padding is always there
--- request eval
[map { "POST /wire\n" . ::request(::content_of_length($_)) } 1, 15, 16, 17]
--- response_body_filters eval
sub { $_[0] =~ /"bizContent" : "(.*?)"/ && length ::unb64($1) }
--- response_body eval
[16, 16, 32, 32]
--- error_code eval
[(200) x 4]



=== TEST 5: call: 1 MB
--- request eval
"POST /call\n" . ::request(::content_of_length(1 << 20))
--- response_body eval
sprintf $::answer, ::content_of_length(1 << 20)
--- timeout: 20



=== TEST 6: call: RSA of 1024, 3072 and 4096 bits
--- request eval
[map { "POST /call/$_\n" . ::request("[$_.0]") } 1024, 3072, 4096]
--- response_body eval
[map { sprintf $::answer, "[$_.0]" } 1024, 3072, 4096]
--- error_code eval
[(200) x 3]



=== TEST 7: call: a sign of the application's own is taken out first
--- request
POST /call
{"sign":"mine","service":"x","bizContent":[1.0]}
--- response_body eval
sprintf $::answer, '[1.0]'



=== TEST 8: call: without bizContent nothing is sealed
--- request
POST /wire
{"service":"createPayer"}
--- error_code: 400
--- response_body_like: "detail":"request: .*bizContent is absent"
--- error_log
envelope: profile "ours" call request: 
--- no_access_log
upstream 127.0.0.1
--- no_error_log
[alert]



=== TEST 9: call: other codes pass unchanged
--- request eval
[("POST /call/answer\n" . ::request(0)) x 5]
--- more_headers eval
[map { ::answered_with($_) } @::plain_answers]
--- response_body eval
\@::plain_answers
--- error_code eval
[(200) x 5]



=== TEST 10: call: a code that is 0 as a string is 0
--- request eval
"POST /call/answer\n" . ::request(0)
--- more_headers eval
::answered_with(::sealed('[1.0]') =~ s/"statusCode" : 0/"statusCode":"0"/r)
--- response_body eval
sprintf($::answer, '[1.0]') =~ s/"statusCode" : 0/"statusCode":"0"/r



=== TEST 11: call: an error of HTTP passes with its status
--- request eval
"POST /call/error\n" . ::request(0)
--- error_code: 500
--- response_body eval
qq({"error":"try later", "n": 1.0 }  )



=== TEST 12: call: an answer signed under another key
--- request eval
"POST /call/stranger\n" . ::request('["CANARY"]')
--- error_code: 502
--- response_body_like: "title":"Bad Gateway","status":502,"detail":"response: sign sign: 
--- error_log
envelope: profile "ours" call response: sign sign: 
--- no_error_log
CANARY
[alert]



=== TEST 13: call: the ciphertext of one answer with the signature of another
--- request eval
"POST /call/answer\n" . ::request('0')
--- more_headers eval
my ($sign) = ::sealed('[2]') =~ /"sign":"(.*?)"/;
::answered_with(::sealed('[1]') =~ s/"sign":"\K.*?"/$sign"/r)
--- error_code: 502
--- response_body_like: "detail":"response: sign sign: 
--- error_log
envelope: profile "ours" call response: sign sign: 
--- no_error_log
[alert]



=== TEST 14: call: success without bizContent or without sign
--- request eval
[("POST /call/answer\n" . ::request(0)) x 4]
--- more_headers eval
[map { ::answered_with($_) } '{"statusCode":0}',
 '{"statusCode":0,"bizContent":null,"sign":""}',
 ::sealed('[1]') =~ s/,"sign":".*?"//r,
 ::sealed('[1]') =~ s/"sign":\K".*?"/null/r]
--- error_code eval
[(502) x 4]
--- response_body_like eval
[('"detail":"response: ') x 4]
--- error_log
envelope: profile "ours" call response: 
--- no_error_log
[alert]



=== TEST 15: call: key rings of secrets and keys, each combination
--- request eval
[("POST /call/answer/ring\n" . ::request(0)) x 4]
--- more_headers eval
[map { my $secret = $_;
       map { ::answered_with(::sealed('{"a" : 1.0}',
             "--platform $_.pem --merchant merchant.pub.pem --secret $secret.b64")) }
           qw( platform old ) } qw( aes other )]
--- response_body eval
[(sprintf $::answer, '{"a" : 1.0}') x 4]
--- error_code eval
[(200) x 4]



=== TEST 16: webhook: sealed by the peer, opened by us, to the byte
--- raw_request eval
::post('/webhook', ::sealed(::odd()))
--- response_body eval
sprintf $::answer, ::odd()



=== TEST 17: webhook: 1 MB
--- raw_request eval
::post('/webhook', ::sealed(::content_of_length(1 << 20)))
--- response_body eval
sprintf $::answer, ::content_of_length(1 << 20)
--- timeout: 20



=== TEST 18: webhook: under another secret: one answer whether the padding happens to be right or not
--- request eval
[map { "POST /webhook\n" . ::sealed(qq("$_"), $::theirs =~ s/aes/other/r) }
     1 .. 12]
--- error_code eval
[(401) x 12]
--- response_body eval
[(::unauthorized()) x 12]
--- error_log
envelope: profile "ours" webhook webhook: 
--- no_access_log
upstream 127.0.0.1
--- no_error_log
[alert]



=== TEST 19: serve: sealed by the peer, opened by us; sealed by us, opened by the peer
--- raw_request eval
::post('/serve', ::peer("D seal-request $::ours", ::request(::odd())))
--- response_body_filters eval
sub { ::peer("D open-response $::ours", shift) }
--- response_body eval
'{"n":1.0,"bizContent":' . ::request(::odd()) . ',"statusCode":0 }'



=== TEST 20: serve: answers with another code leave unchanged
--- request eval
[map { "POST /serve/plain\n" . ::peer("D seal-request $::ours", ::request(0)) }
     1 .. 5]
--- more_headers eval
[map { ::answered_with($_) } @::plain_answers]
--- response_body eval
\@::plain_answers
--- error_code eval
[(200) x 5]



=== TEST 21: serve: a request signed by a stranger
--- request eval
"POST /serve\n" . ::peer('D seal-request --merchant stranger.pem --secret aes.b64',
                         ::request('["CANARY"]'))
--- error_code: 401
--- response_body eval
::unauthorized()
--- error_log
envelope: profile "theirs" serve request: sign sign: 
--- no_access_log
upstream 127.0.0.1
--- no_error_log
CANARY
[alert]



=== TEST 22: notify: sealed by us, opened by the peer
--- raw_request eval
::post('/notify', '{"bizContent": ' . ::odd() . ' }')
--- response_body eval
'{"statusCode":0,"bizContent": ' . ::odd() . ' }'



=== TEST 23: the Java platform: AES/ECB/PKCS5Padding, SHA256withRSA
--- request eval
my $json = ::jdk('text.json');
"POST /webhook/jdk\n"
. '{"plain":"' . $json =~ s/([\\"])/\\$1/gr =~ s/\t/\\t/gr
. '","bizContent":"' . ::b64(::jdk('ecb.bin'))
. '","sign":"' . ::b64(::jdk('rs256.sig')) . '"}'
--- response_body_filters eval
sub { $_[0] =~ s/"plain":".*","biz/"biz/r }
--- response_body eval
'{"bizContent":' . ::jdk('text.json') . '}'

# Format F: bodies stay as they are; three headers say who sends.  The other
# end is t/peers/formats.py.

use Test::Nginx::Socket;
use Digest::SHA qw( sha1_hex );
use FindBin;
use lib "$FindBin::Bin/peers/lib";
use Envelope::Peer;

our $secret = 'k%3D:&+"app secret"/0001';

spew('app.secret', $secret);
spew('old.secret', 'the one before');

our $messages = <<'EOC';
    request {
        set   header:appId demo-app-0001;
        set   header:timestamp $envelope_time_ms;
        sign  header:sign = sha1
              over=<header:appId><secret:app><header:timestamp> | hex;
    }

    webhook {
        set   header:appId demo-app-0001;
        set   header:timestamp $envelope_time_ms keep;
        sign  header:sign = sha1
              over=<header:appId><secret:app><header:timestamp> | hex;
    }
EOC

start_peers(
    '/provider' => provider('F', '--secret app.secret',
                            qq({"code" : "0","msg":"\xe6\x88\x90","model":%s })),
    '/subscriber' => subscriber('F', '--secret app.secret'),
);

# the three headers as the peer makes them, for more_headers

sub headers {
    my $options = shift // '';

    return peer("F seal-webhook --secret app.secret $options");
}

# the headers that say who sends, of a request as the upstream got it, without
# the time

sub shown {
    my $request = shift;

    return join ' ', map { s/^(timestamp: )\d{13}\z/$1TIME/r }
                     sort $request =~ /^((?:appId|timestamp|sign): \S*)/gmi;
}

add_block_preprocessor(sub {
    my $block = shift;

    $block->set_value('no_error_log', "[error]\n[alert]\n")
        if !defined $block->error_log;

    $block->set_value('http_config', join '', $http,
        "underscores_in_headers on;\n",
        profile('ours', $messages, 'secret app' => 'app.secret text'),
        profile('ring', $messages,
                'secret app' => 'old.secret text|app.secret text'));

    $block->set_value('config', locations(<<'EOC'));
/call call:ours /provider
/call/answer call:ours /answer
/call/error call:ours /error
/wire call:ours /raw
/echo call:ours /echo
/webhook webhook:ours /app
/webhook/ring webhook:ring /app
/webhook/raw webhook:ours /raw
/webhook/answer webhook:ours /answer
/serve serve:ours /app
/serve/raw serve:ours /raw
/notify notify:ours /subscriber
EOC
});

log_level('info');

plan tests => repeat_each() * 180;

run_tests();

__DATA__

=== TEST 1: call: the peer accepts our headers; bodies pass both ways, to the byte
--- raw_request eval
::post('/call', "\n " . ::odd() . "\t\r\n")
--- response_body eval
qq({"code" : "0","msg":"\xe6\x88\x90","model":\n ) . ::odd()
. "\t\r\n }"



=== TEST 2: call: sign is the digest of appId, secret and timestamp, nothing between them
--- request
POST /wire
{}
--- response_body_filters eval
sub {
    my ($time) = $_[0] =~ /^timestamp: (\d{13})\r$/m;
    my ($sign) = $_[0] =~ /^sign: ([0-9a-f]{40})\r$/m;
    my ($id) = $_[0] =~ /^appId: (\S+)\r$/m;
    return CORE::join ' ', $id, abs($time / 1000 - time) < 5,
           $sign eq Digest::SHA::sha1_hex("$id$::secret$time");
}
--- response_body chomp
demo-app-0001 1 1



=== TEST 3: call: the application's own headers are replaced, in whatever case
--- request
POST /wire
{}
--- more_headers
APPID: forged
appid: forged-too
Timestamp: 1
sign: 0000000000000000000000000000000000000000
X-Other: stays
--- response_body_filters eval
sub { $_[0] =~ /^X-Other: stays\r$/m && ::shown($_[0]) =~ s/[0-9a-f]{40}/DIGEST/r }
--- response_body chomp
appId: demo-app-0001 sign: DIGEST timestamp: TIME



=== TEST 4: call: amounts as strings of cents, UTF-8, 30 digits
--- raw_request eval
::post('/echo', qq({"deposit":"1000", "name":"\xc3\x9cnal \xf0\x9f\x92\xb3","n":123456789012345678901234567890,"e":1e2}))
--- response_body eval
qq({"deposit":"1000", "name":"\xc3\x9cnal \xf0\x9f\x92\xb3","n":123456789012345678901234567890,"e":1e2})



=== TEST 5: call: any body: 1 byte, no JSON, not UTF-8, duplicates, 1 MB
--- request eval
[map { "POST /echo\n$_" } '1', 'a=1&b=2', "\xff\x00\xfe", '{"a":1,"a":2}',
 'x' x (1 << 20)]
--- response_body eval
['1', 'a=1&b=2', "\xff\x00\xfe", '{"a":1,"a":2}', 'x' x (1 << 20)]
--- error_code eval
[(200) x 5]
--- timeout: 20



=== TEST 6: call: no body at all
--- request eval
["GET /wire", "DELETE /wire", "POST /wire"]
--- response_body_filters eval
sub { ::shown($_[0]) =~ s/[0-9a-f]{40}/DIGEST/gr }
--- response_body eval
[('appId: demo-app-0001 sign: DIGEST timestamp: TIME') x 3]
--- error_code eval
[(200) x 3]



=== TEST 7: call: answers pass as they are, errors and no JSON too
--- request eval
[("POST /call/answer\n{}") x 3, "POST /call/error\n{}"]
--- more_headers eval
[map { ::answered_with($_) }
 qq( {"code":"10004","msg":"\xe4\xbd\x99","success":false }\n), 'no JSON', '',
 '']
--- response_body eval
[qq( {"code":"10004","msg":"\xe4\xbd\x99","success":false }\n), 'no JSON', '',
 '{"error":"try later", "n": 1.0 }  ']
--- error_code eval
[200, 200, 200, 500]



=== TEST 8: webhook: the peer's headers are right, its body passes, to the byte
--- request eval
"POST /webhook\n" . ::odd()
--- more_headers eval
::headers()
--- response_body eval
::odd()



=== TEST 9: webhook: verified headers are taken off, one with "keep" stays
--- request
POST /webhook/raw
{}
--- more_headers eval
::headers('--timestamp 1628652100447')
--- response_body_filters eval
\&::shown
--- response_body chomp
timestamp: TIME



=== TEST 10: webhook: hex in capitals is the same digest
--- request
POST /webhook
{}
--- more_headers eval
::headers() =~ s/^(sign: )(.*)/$1\U$2/mr
--- response_body chomp
{}



=== TEST 11: webhook: a header is missing
--- request eval
[("POST /webhook\n{}") x 4]
--- more_headers eval
my $headers = ::headers();
[(map { $headers =~ s/^$_: .*\n//mr } qw( appId timestamp sign )), '']
--- error_code eval
[(400) x 4]
--- response_body eval
[(::bad_request()) x 4]
--- error_log
envelope: profile "ours" webhook webhook: 
--- no_access_log
upstream 127.0.0.1
--- no_error_log
[alert]



=== TEST 12: webhook: a header that is there twice, be it the same
--- request eval
[("POST /webhook\n{}") x 3]
--- more_headers eval
my $headers = ::headers();
[map { $headers . ($headers =~ /^($_: .*\n)/m)[0] =~ s/\A(\w+)/\U$1/r }
     qw( appId timestamp sign )]
--- error_code eval
[(400) x 3]
--- response_body eval
[(::bad_request()) x 3]
--- error_log
envelope: profile "ours" webhook webhook: 
--- no_access_log
upstream 127.0.0.1
--- no_error_log
[alert]



=== TEST 13: webhook: another timestamp, another secret, another digest, one that is cut
--- request eval
[("POST /webhook\n{}") x 5]
--- more_headers eval
[::headers() =~ s/^timestamp: \d/timestamp: 9/mr,
 ::peer('F seal-webhook --secret old.secret'),
 ::headers() =~ s/^sign: \K.*/Digest::SHA::sha1_hex('')/mer,
 ::headers() =~ s/^(sign: .*)../$1/mr,
 ::headers() =~ s/^(sign: .*)/${1}00/mr]
--- error_code eval
[(401) x 5]
--- response_body eval
[(::unauthorized()) x 5]
--- error_log
envelope: profile "ours" webhook webhook: sign header:sign: 
--- no_access_log
upstream 127.0.0.1
--- no_error_log
[alert]



=== TEST 14: webhook: where id, secret and time meet, no digit can move from one to the next
--- request
POST /webhook
{}
--- more_headers eval
my ($time, $sign) = ::headers() =~ /timestamp: (.*)\nsign: (.*)/;
"appId: demo-app-000\ntimestamp: 1$time\nsign: $sign"
--- error_code: 400
--- response_body eval
::bad_request()
--- error_log
envelope: profile "ours" webhook webhook: set header:appId: 
--- no_access_log
upstream 127.0.0.1
--- no_error_log
[alert]



=== TEST 15: webhook: another appId, signed rightly
--- request
POST /webhook
{}
--- more_headers eval
::headers('--id other-app')
--- error_code: 400
--- response_body eval
::bad_request()
--- error_log
envelope: profile "ours" webhook webhook: set header:appId: 
--- no_access_log
upstream 127.0.0.1
--- no_error_log
[alert]



=== TEST 16: webhook: secrets in rotation: both of the ring's, not a third
--- request eval
[("POST /webhook/ring\n{}") x 2]
--- more_headers eval
[::headers(), ::peer('F seal-webhook --secret old.secret')]
--- response_body eval
['{}', '{}']
--- error_code eval
[200, 200]



=== TEST 17: webhook: a secret that is not of the ring
--- request
POST /webhook/ring
{}
--- more_headers eval
::spew('third.secret', 'a third');
::peer('F seal-webhook --secret third.secret')
--- error_code: 401
--- response_body eval
::unauthorized()
--- error_log
envelope: profile "ring" webhook webhook: sign header:sign: 
--- no_access_log
upstream 127.0.0.1
--- no_error_log
[alert]



=== TEST 18: webhook: the reply is plain and passes
--- request
POST /webhook/answer
{}
--- more_headers eval
::headers() . ::answered_with('SUCCESS')
--- response_body chomp
SUCCESS



=== TEST 19: serve: the peer's headers are right and are taken off
--- request eval
["POST /serve\n" . ::odd(), "POST /serve/raw\n{}"]
--- more_headers eval
[::peer('F seal-request --secret app.secret'),
 ::peer('F seal-request --secret app.secret')]
--- response_body_filters eval
[[sub { $_[0] }], [\&::shown]]
--- response_body eval
[::odd(), '']
--- error_code eval
[200, 200]



=== TEST 20: serve: without its headers a request is refused
--- request
POST /serve
{"deposit":"1000"}
--- error_code: 400
--- response_body eval
::bad_request()
--- error_log
envelope: profile "ours" serve request: 
--- no_access_log
upstream 127.0.0.1
--- no_error_log
[alert]



=== TEST 21: notify: sealed by us, accepted by the peer
--- raw_request eval
::post('/notify', ::odd() . "\n")
--- response_body eval
::odd() . "\n"

# Format B, the hybrid scheme: AES under a key made for the message, that key
# under RSA-OAEP, a signature over the sorted members as they are sent.  The
# other end is t/peers/formats.py.

use Test::Nginx::Socket;
use FindBin;
use lib "$FindBin::Bin/peers/lib";
use Envelope::Peer;

make_rsa(platform => 2048, merchant => 2048, old => 2048, stranger => 2048,
         1024 => 1024, 3072 => 3072, 4096 => 4096);

# request, response and webhook, with what may differ between providers

sub messages {
    my ($aes, $wrap, $types) = @_;

    my $sealed = sub {
        my ($to, $by) = @_;
        my ($name, @options) = split ' ', $wrap;
        return "field bizContent = json | $aes key=session.key"
               . " iv=session.iv | base64;\n"
               . "field key = session | $name key=$to @options | base64;\n"
               . "sign sig = rs256 key=$by over=<sorted>"
               . " except=rsaType,aesType | base64;\n";
    };

    my $random = "random session key:32 iv:16;\n"
                 . "set timestamp \$envelope_time_ms;\n";

    return "request {\n$random"
           . "set apiKey 341916e58af445f8aadeb95170000000;\n"
           . $sealed->('platform', 'merchant') . $types . "}\n"
           . "response {\nwhen code 200;\n$random"
           . $sealed->('merchant', 'platform')
           . $types =~ s/;/ optional;/gr . "}\n"
           . "webhook {\n$random" . $sealed->('merchant', 'platform')
           . $types =~ s/;/ optional;/gr . "}\n";
}

our $oaep = 'set rsaType ECB_OAEP;';
our $gcm = "$oaep set aesType GCM_NOPADDING;";
our $cbc = 'set aesType CBC_PKCS7PADDING;';
our $messages = messages('aes-256-gcm', 'rsa-oaep hash=sha256 mgf1=sha256',
                         $gcm);
our $sha1 = messages('aes-256-gcm', 'rsa-oaep hash=sha256 mgf1=sha1', $gcm);

our $answer = qq( {"code" : 200,"message":"SUCCESS  two \xe2\x98\x83 spaces",)
              . qq( "bizContent":%s}\n);

our $ours = '--platform platform.pub.pem --merchant merchant.pem';
our $theirs = '--platform platform.pem --merchant merchant.pub.pem';

start_peers(
    '/provider' => provider('B', $theirs, $answer),
    '/sha1' => provider('B', "$theirs --mgf1 sha1", $answer),
    '/cbc' => provider('B', "$theirs --aes CBC", $answer),
    '/pkcs1' => provider('B', "$theirs --aes CBC --rsa PKCS1 --no-types",
                         $answer),
    '/old' => provider('B', '--platform platform.pem --merchant old.pub.pem',
                       $answer),
    (map { ("/$_" => provider('B', "--platform $_.pem --merchant $_.pem",
                              $answer)) } 1024, 3072, 4096),
    '/subscriber' => subscriber('B', $ours),
    '/application' => fixed(qq({"code":"200", "message":"", "n" : 1.0,)
                            . q("bizContent": %s })),
    '/success' => fixed('{"message":"SUCCESS" ,"code":"200"}'),
);

# a message with this content, in the member bizContent, as the provider
# sends it

sub sealed {
    my ($content, $options) = @_;

    return peer('B seal-webhook ' . ($options // $theirs),
                sprintf $answer, $content);
}

our @plain_answers = (
    qq({"code":1012,"message":"Invalid  parameter \xe2\x80\x93"}),
    '{"code":"201","bizContent":"x" ,"sig":"y"}', '{"message":"none"}',
    '{"code":2e2,"bizContent":{"a":1.0}}', '{ }',
);

add_block_preprocessor(sub {
    my $block = shift;

    $block->set_value('no_error_log', "[error]\n[alert]\n")
        if !defined $block->error_log;

    my @keys = (platform => 'platform.pub.pem', merchant => 'merchant.pem');

    $block->set_value('http_config', join '', $http,
        profile('ours', $messages, @keys),
        profile('sha1', $sha1, @keys),
        profile('cbc', messages('aes-256-cbc',
                                'rsa-oaep hash=sha256 mgf1=sha256',
                                "$oaep $cbc"), @keys),
        profile('pkcs1', messages('aes-256-cbc', 'rsa-pkcs1', ''), @keys),
        profile('theirs', $messages, platform => 'platform.pem',
                merchant => 'merchant.pub.pem'),
        profile('ring', $messages,
                platform => 'stranger.pub.pem|platform.pub.pem',
                merchant => 'merchant.pem|old.pem'),
        profile('jdk', $messages, platform => '$TEST_NGINX_JDK/rsa2048.pem',
                merchant => '$TEST_NGINX_JDK/rsa2048.pem'),
        profile('jdk1', $sha1, platform => '$TEST_NGINX_JDK/rsa2048.pem',
                merchant => '$TEST_NGINX_JDK/rsa2048.pem'),
        map { profile("b$_", $messages, platform => "$_.pub.pem",
                      merchant => "$_.pem") } 1024, 3072, 4096);

    $block->set_value('config', locations(<<'EOC'));
/call call:ours /provider
/call/sha1 call:sha1 /sha1
/call/cbc call:cbc /cbc
/call/pkcs1 call:pkcs1 /pkcs1
/call/mixed call:sha1 /provider
/call/1024 call:b1024 /1024
/call/3072 call:b3072 /3072
/call/4096 call:b4096 /4096
/call/old call:ours /old
/call/answer call:ours /answer
/call/answer/jdk call:jdk /answer
/call/answer/jdk1 call:jdk1 /answer
/call/error call:ours /error
/wire call:ours /echo
/webhook webhook:ours /app
/webhook/ring webhook:ring /app
/webhook/success webhook:ours /success
/serve serve:theirs /application
/serve/plain serve:theirs /answer
/notify notify:theirs /subscriber
EOC
});

log_level('info');

plan tests => repeat_each() * 289;

run_tests();

__DATA__

=== TEST 1: call: sealed by us and opened by the peer, sealed by it and opened by us, to the byte
--- raw_request eval
::post('/call', '{ "bizContent" : ' . ::odd() . '}')
--- response_body eval
sprintf $::answer, ::odd()



=== TEST 2: call: the wire: what there was, then what the statements add, in their order
--- request
POST /wire
{"bizContent":{"page":1}, "x" : 1.0}
--- response_body_like: ^\{"bizContent":"[\w+/]{35}=", "x" : 1\.0,"timestamp":"\d{13}","apiKey":"341916e58af445f8aadeb95170000000","key":"[\w+/]{342}==","sig":"[\w+/]{342}==","rsaType":"ECB_OAEP","aesType":"GCM_NOPADDING"\}$



=== TEST 3: call: a new key and IV for each message
--- request eval
[('POST /wire' . "\n" . '{"bizContent":{"page":1}}') x 2]
--- response_body_filters eval
[[sub { $::first = shift }],
 [sub { my ($one, $two) = map { /"bizContent":"(.*?)"/ } $::first, @_;
        my ($key1, $key2) = map { /"key":"(.*?)"/ } $::first, @_;
        $one ne $two && $key1 ne $key2 && length $one == length $two
        ? 'other' : 'same' }]]
--- response_body_like eval
['', '^other$']
--- error_code eval
[200, 200]



=== TEST 4: call: what an application says of itself is taken out first
--- request
POST /call
{"apiKey":"forged","timestamp":1,"bizContent":{"a":1.0},"sig":"x","rsaType":"NONE","aesType":null}
--- response_body eval
sprintf $::answer, '{"a":1.0}'



=== TEST 5: call: 1 byte, a byte less than an AES block, a block, a byte more
--- request eval
[map { qq(POST /call\n{"bizContent":) . ::text_of_length($_) . '}' }
     1, 15, 16, 17]
--- response_body eval
[map { sprintf $::answer, ::text_of_length($_) } 1, 15, 16, 17]
--- error_code eval
[(200) x 4]



=== TEST 6: call: the same under AES-CBC, where the padding differs
--- request eval
[map { qq(POST /call/cbc\n{"bizContent":) . ::text_of_length($_) . '}' }
     1, 15, 16, 17]
--- response_body eval
[map { sprintf $::answer, ::text_of_length($_) } 1, 15, 16, 17]
--- error_code eval
[(200) x 4]



=== TEST 7: call: 1 MB
--- request eval
qq(POST /call\n{"bizContent":) . ::text_of_length(1 << 20) . '}'
--- response_body eval
sprintf $::answer, ::text_of_length(1 << 20)
--- timeout: 20



=== TEST 8: call: 1 MB under AES-CBC
--- request eval
qq(POST /call/cbc\n{"bizContent":) . ::text_of_length(1 << 20) . '}'
--- response_body eval
sprintf $::answer, ::text_of_length(1 << 20)
--- timeout: 20



=== TEST 9: call: RSA of 1024, 3072 and 4096 bits
--- request eval
[map { qq(POST /call/$_\n{"bizContent":{"n" : $_.0}}) } 1024, 3072, 4096]
--- response_body eval
[map { sprintf $::answer, qq({"n" : $_.0}) } 1024, 3072, 4096]
--- error_code eval
[(200) x 3]



=== TEST 10: call: MGF1 with SHA-1, AES-CBC, PKCS#1 v1.5
--- request eval
[map { qq(POST /call/$_\n{"bizContent":{"a" : 1.0}}) } qw( sha1 cbc pkcs1 )]
--- response_body eval
[(sprintf $::answer, '{"a" : 1.0}') x 3]
--- error_code eval
[(200) x 3]



=== TEST 11: call: our MGF1 is not theirs
--- request
POST /call/mixed
{"bizContent":{}}
--- error_code: 400
--- response_body_like: ^peer refused: key: 



=== TEST 12: call: without bizContent nothing is sealed
--- request eval
["POST /wire\n{}", "POST /wire\n" . '{"biz":1}', "POST /wire\n[]",
 "POST /wire\n" . '{"bizContent":1,"bizContent":2}']
--- error_code eval
[(400) x 4]
--- response_body_like eval
[(qr/"detail":"request: field bizContent: bizContent is absent"/) x 2,
 qr/"detail":"request: .*not a JSON object"/,
 qr/"detail":"request: field bizContent: .*bizContent.* stands twice/]
--- error_log
envelope: profile "ours" call request: 
--- no_access_log
upstream 127.0.0.1
--- no_error_log
[alert]



=== TEST 13: call: other codes pass unchanged, signed or not
--- request eval
[("POST /call/answer\n" . '{"bizContent":0}') x 5]
--- more_headers eval
[map { ::answered_with($_) } @::plain_answers]
--- response_body eval
\@::plain_answers
--- error_code eval
[(200) x 5]



=== TEST 14: call: a code that is 200 as a string is 200
--- request
POST /call/answer
{"bizContent":0}
--- more_headers eval
::answered_with(::peer("B seal-response $::theirs",
                       '{"code":"200","bizContent":{"a" : 1.0}}'))
--- response_body chomp
{"code":"200","bizContent":{"a" : 1.0}}



=== TEST 15: call: an error of HTTP passes with its status
--- request
POST /call/error
{"bizContent":0}
--- error_code: 500
--- response_body eval
qq({"error":"try later", "n": 1.0 }  )



=== TEST 16: call: code 200 without a signature is refused
--- request
POST /call/answer
{"bizContent":0}
--- more_headers eval
::answered_with('{"code":200,"bizContent":{"a":1}}')
--- error_code: 502
--- response_body_like: "title":"Bad Gateway","status":502,"detail":"response: 
--- response_body_unlike: "a":1
--- error_log
envelope: profile "ours" call response: 
--- no_error_log
[alert]



=== TEST 17: call: an answer for another merchant is refused
--- request
POST /call/answer
{"bizContent":0}
--- more_headers eval
::answered_with(::sealed('{"a":1}',
    '--platform platform.pem --merchant old.pub.pem'))
--- error_code: 502
--- response_body_like: "detail":"response: field key: 
--- error_log
envelope: profile "ours" call response: field key: 
--- no_error_log
[alert]



=== TEST 18: webhook: sealed by the peer, opened by us, to the byte
--- raw_request eval
::post('/webhook', ::sealed(::odd()))
--- response_body eval
sprintf $::answer, ::odd()



=== TEST 19: webhook: 1 MB
--- raw_request eval
::post('/webhook', ::sealed(::text_of_length(1 << 20)))
--- response_body eval
sprintf $::answer, ::text_of_length(1 << 20)
--- timeout: 20



=== TEST 20: webhook: without rsaType and aesType; with nothing but what is needed
--- request eval
["POST /webhook\n" . ::sealed('{"a":1.0}', "$::theirs --no-types"),
 "POST /webhook\n" . ::peer("B seal-webhook $::theirs --no-types",
                            '{"bizContent":{"a":1.0}}')]
--- response_body eval
[sprintf($::answer, '{"a":1.0}') =~ s/^\s+|\s+$//gr,
 '{"bizContent":{"a":1.0}}']
--- error_code eval
[200, 200]



=== TEST 21: webhook: a message does not choose its algorithms
--- request eval
[map { "POST /webhook\n" . ::sealed('{"a":1.0}') =~ s/$_->[0]/$_->[1]/r }
     ['ECB_OAEP', 'ECB_PKCS1'], ['GCM_NOPADDING', 'CBC_PKCS7PADDING'],
     ['"ECB_OAEP"', 'null']]
--- error_code eval
[(400) x 3]
--- response_body eval
[(::bad_request()) x 3]
--- error_log eval
qr/envelope: profile "ours" webhook webhook: set (?:rsa|aes)Type: /
--- no_access_log
upstream 127.0.0.1
--- no_error_log
[alert]



=== TEST 22: webhook: signed under another platform key, or by the merchant
--- request eval
["POST /webhook\n" . ::sealed('{}', '--platform stranger.pem --merchant merchant.pub.pem'),
 "POST /webhook\n" . ::sealed('{}', '--platform merchant.pem --merchant merchant.pub.pem')]
--- error_code eval
[401, 401]
--- response_body eval
[(::unauthorized()) x 2]
--- error_log
envelope: profile "ours" webhook webhook: sign sig: 
--- no_access_log
upstream 127.0.0.1
--- no_error_log
[alert]



=== TEST 23: webhook: one signed character changed
--- request eval
[map { "POST /webhook\n" . $_->(::sealed('{"a":1.0}')) }
     sub { $_[0] =~ s/"code" : 200/"code" : 201/r },
     sub { $_[0] =~ s/two /two/r },
     sub { $_[0] =~ s/"timestamp":"1/"timestamp":"2/r },
     sub { $_[0] =~ s/"bizContent":"\K(.)/$1 eq 'A' ? 'B' : 'A'/er },
     sub { $_[0] =~ s/"code" : 200,//r }]
--- error_code eval
[(401) x 5]
--- response_body eval
[(::unauthorized()) x 5]
--- error_log
envelope: profile "ours" webhook webhook: sign sig: 
--- no_access_log
upstream 127.0.0.1
--- no_error_log
[alert]



=== TEST 24: webhook: a member that is added breaks the signature too
--- request eval
"POST /webhook\n" . ::sealed('{"a":1.0}') =~ s/"code"/"amount":1,"code"/r
--- error_code: 401
--- response_body eval
::unauthorized()
--- error_log
envelope: profile "ours" webhook webhook: sign sig: 
--- no_access_log
upstream 127.0.0.1
--- no_error_log
[alert]



=== TEST 25: webhook: key rings: either key of ours, either of theirs
--- request eval
[map { "POST /webhook/ring\n" . ::sealed('{"a":1.0}',
           "--platform $_->[0].pem --merchant $_->[1].pub.pem") }
     ['platform', 'merchant'], ['stranger', 'merchant'],
     ['platform', 'old'], ['stranger', 'old']]
--- response_body eval
[(sprintf($::answer, '{"a":1.0}') =~ s/^\s+|\s+$//gr) x 4]
--- error_code eval
[(200) x 4]



=== TEST 26: webhook: the reply is not described and passes
--- request eval
"POST /webhook/success\n" . ::sealed('{"a":1.0}')
--- response_body chomp
{"message":"SUCCESS" ,"code":"200"}



=== TEST 27: serve: sealed by the peer, opened by us; sealed by us, opened by the peer
--- raw_request eval
::post('/serve', ::peer("B seal-request $::ours",
                        '{"bizContent" : ' . ::odd() . ', "n":1.0}'))
--- response_body_filters eval
sub { ::peer("B open-response $::ours", shift) }
--- response_body eval
'{"code":"200", "message":"", "n" : 1.0,"bizContent": {"bizContent" : '
. ::odd() . ', "n":1.0} }'



=== TEST 28: serve: an answer with another code leaves unchanged
--- request eval
[map { "POST /serve/plain\n" . ::peer("B seal-request $::ours",
                                      '{"bizContent":0}') } 1 .. 5]
--- more_headers eval
[map { ::answered_with($_) } @::plain_answers]
--- response_body eval
\@::plain_answers
--- error_code eval
[(200) x 5]



=== TEST 29: serve: another merchant's apiKey, or a plain request, is refused without a reason
--- request eval
["POST /serve\n" . ::peer("B seal-request $::ours --id other", '{"bizContent":0}'),
 'POST /serve' . "\n" . '{"bizContent":{"a":1}}']
--- error_code eval
[400, 400]
--- response_body eval
[(::bad_request()) x 2]
--- error_log
envelope: profile "theirs" serve request: 
--- no_access_log
upstream 127.0.0.1
--- no_error_log
[alert]



=== TEST 30: notify: sealed by us, opened by the peer
--- raw_request eval
::post('/notify', '{"eventType" : "CARD","bizContent" : ' . ::odd() . ',"n":1.0}')
--- response_body eval
'{"eventType" : "CARD","bizContent" : ' . ::odd() . ',"n":1.0}'



=== TEST 31: the Java platform: OAEPWithSHA-256AndMGF1Padding with MGF1-SHA-256 and with its own default, AES/GCM/NoPadding, SHA256withRSA
--- request eval
[map { "POST /call/answer/$_\n" . '{"bizContent":0}' } qw( jdk jdk1 )]
--- more_headers eval
[map { ::answered_with(::jdk("hybrid-mgf1-$_.json")) } qw( sha256 sha1 )]
--- response_body eval
[('{"code":200,"message":"SUCCESS  two  spaces","bizContent":'
  . ::jdk('text.json') . "}\n") x 2]
--- error_code eval
[200, 200]



=== TEST 32: the Java platform: each of the two under the other's profile
--- request eval
[map { "POST /call/answer/$_\n" . '{"bizContent":0}' } qw( jdk1 jdk )]
--- more_headers eval
[map { ::answered_with(::jdk("hybrid-mgf1-$_.json")) } qw( sha256 sha1 )]
--- error_code eval
[502, 502]
--- response_body_like eval
[('"detail":"response: field key: ') x 2]
--- error_log eval
qr/envelope: profile "jdk1?" call response: field key: /
--- no_error_log
[alert]

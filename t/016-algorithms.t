# Every algorithm, mode, encoding and template of the language, each against
# a value that something else made: the openssl command, pycryptodome, Perl's
# Digest modules, the Java platform, or a provider's own documentation.

use Test::Nginx::Socket;
use Digest::MD5 qw( md5_hex );
use Digest::SHA qw( hmac_sha1 hmac_sha256 hmac_sha384 hmac_sha512
                    hmac_sha256_hex hmac_sha256_base64
                    sha1 sha256 sha512 sha256_hex );
use FindBin;
use lib "$FindBin::Bin/peers/lib";
use Envelope::Peer;

make_rsa(rsa => 2048, other => 2048);

for my $name ('', 'other-') {
    make_keys($name . 'p256' => '-algorithm EC -pkeyopt ec_paramgen_curve:P-256',
              $name . 'p384' => '-algorithm EC -pkeyopt ec_paramgen_curve:P-384',
              $name . 'ed' => '-algorithm ED25519');
}

our $hmac = 'a secret of thirty-two characters';
our %aes = (128 => '2b7e151628aed2a6abf7158809cf4f3c',
            192 => '8e73b0f7da0e6452c810f32b809079e562f8ead2522c6b7b',
            256 => '603deb1015ca71be2b73aef0857d7781'
                   . '1f352c073b6108d72d9810a30914dff4');
our $iv = '000102030405060708090a0b0c0d0e0f';

our @rsa = qw( rs1 rs256 rs384 rs512 ps256 ps384 ps512 );
our @public = (@rsa, qw( es256 es384 eddsa ));
our @mac = qw( hs1 hs256 hs384 hs512 );
our @digest = qw( md5 sha1 sha256 sha512 );
our @modes = map { my $size = $_; map { "$size-$_" } qw( ecb cbc gcm ) }
                 128, 192, 256;
our @oaep = map { my $md = $_;
                  map { "$md-$_" } qw( sha1 sha256 sha384 sha512 ) }
                qw( sha1 sha256 sha384 sha512 );

our $hash_of = {
    hs1 => \&hmac_sha1, hs256 => \&hmac_sha256, hs384 => \&hmac_sha384,
    hs512 => \&hmac_sha512, md5 => \&Digest::MD5::md5, sha1 => \&sha1,
    sha256 => \&sha256, sha512 => \&sha512,
};

start_peers();

sub key_of {
    my $alg = shift;

    return $alg eq 'es256' ? 'p256' : $alg eq 'es384' ? 'p384'
         : $alg eq 'eddsa' ? 'ed' : 'rsa';
}

# what signs, and what verifies, in place of the module

sub sign {
    my ($alg, $text, $key) = @_;

    $key //= key_of($alg);

    return $hash_of->{$alg}->($text, $alg =~ /^hs/ ? $hmac : ())
        if $hash_of->{$alg};

    return peer("sign $alg $key.pem", $text) if $alg ne 'eddsa';

    spew('text', $text);
    return openssl("pkeyutl -sign -inkey $key.pem -rawin -in text");
}

sub verify {
    my ($alg, $text, $signature) = @_;

    return $signature eq sign($alg, $text) ? 'verified' : 'differs'
        if $hash_of->{$alg};

    my $key = key_of($alg);

    return peer("verify $alg $key.pub.pem " . hex_of($signature), $text)
        if $alg ne 'eddsa';

    spew('text', $text);
    spew('sig', $signature);
    return openssl("pkeyutl -verify -pubin -inkey $key.pub.pem -rawin"
                   . ' -in text -sigfile sig') =~ /Success/ ? 'verified' : '';
}

# the same of a whole message that names its algorithm

sub verified {
    my $wire = shift;

    my ($alg) = $wire =~ /"alg":"(\w+)"/;
    my ($signature) = $wire =~ /"sign":"([^"]*)"/ or return $wire;

    return "$alg " . verify($alg, "$alg|" . ' t/"', unb64($signature));
}

sub plain { qq({"alg":"$_[0]","text":" t\\/\\u0022"}) }

sub signed {
    my ($alg, $signature) = @_;

    my $value = b64($signature // sign($alg, "$alg|" . ' t/"'));
    return plain($alg) =~ s/\}\z/,"sign":"$value"}/r;
}

# a ciphertext as a message: {"data":"<hex>"}

sub data { '{"data":"' . hex_of($_[0]) . '"}' }

our $config;

sub add {
    my ($name, $messages, @keys) = @_;

    $config->{http} .= profile($name, $messages, @keys);
    $config->{locations} .= "/seal/$name call:$name /echo\n"
                            . "/shown/$name call:$name /raw\n"
        if $messages =~ /\brequest\b/;
    $config->{locations} .= "/open/$name webhook:$name /app\n"
                            . "/raw/$name webhook:$name /raw\n"
        if $messages =~ /\bwebhook\b/;
}

sub both { my $text = shift; "request { $text }\nwebhook { $text }\n" }

our @secret = ('secret app' => "data:$hmac text");
s/data:(.*) text/'data:$1' text/ for @secret;

for my $alg (@public, @mac, @digest) {
    my @key = grep { $_ eq $alg } @digest;
    add($alg, both("sign sign = $alg " . (@key ? '' : 'key=k')
                   . ' over=<alg>|<text> | base64;'),
        $hash_of->{$alg} ? ('secret k' => "'data:$hmac' text")
                         : (k => key_of($alg) . '.pem'));
}

add("over-$_", "webhook { sign sign = $_ key=k over=<text> | base64; }",
    k => 'rsa.pub.pem') for @rsa;

for my $mode (@modes) {
    my ($size) = split /-/, $mode;
    add("aes-$mode", both("field data = json | aes-$mode key=k"
                          . ($mode =~ /ecb/ ? '' : ' iv=prefix') . ' | hex;'),
        'secret k' => "data:$aes{$size} hex");
}

for my $mode (qw( cbc gcm )) {
    my @key = ('secret k' => "data:$aes{256} hex");
    my $step = "aes-256-$mode key=k";

    add("hex-$mode", both("field data = json | $step iv=hex:$iv | hex;"), @key);
    add("random-$mode", both("random r 16; field data = json | $step iv=r | hex;"
                             . ' field n = r | base64;'), @key);
    add("part-$mode", both("random r x:8 iv:16 y:3;"
                           . " field data = json | $step iv=r.iv | hex;"
                           . ' field n = r | hex;'), @key);
    add("member-$mode", both("field data = json | $step iv=</h/nonce> | hex;"),
        @key);
    add("header-$mode", both("field data = json | $step iv=<header:X-IV> | hex;"),
        @key);
}

add('aad', both('field data = json | aes-128-gcm key=k iv=prefix'
                . ' aad=<id>/<header:X-Aad>/<<x | hex;'),
    'secret k' => "data:$aes{128} hex");

for my $oaep (@oaep) {
    my ($md, $mgf1) = split /-/, $oaep;
    add("oaep-$oaep", both("field data = json | rsa-oaep key=k hash=$md"
                           . " mgf1=$mgf1 | hex;"), k => 'rsa.pem');
    add("label-$oaep", both("field data = json | rsa-oaep key=k hash=$md"
                            . " mgf1=$mgf1 label=Lbl-1 | hex;"),
        k => 'rsa.pem');
}

add('oaep-default', both('field data = json | rsa-oaep key=k | hex;'),
    k => 'rsa.pem');

add('codecs', both(<<'EOC'));
    field b64 = string | base64;
    field url = string | base64url;
    field hex = string | hex;
    field pre = string | prefix "v1: ";
    field two = json | hex | prefix x- | base64url | base64;
EOC

add('pointers', both(<<'EOC'));
    field /cards/*/pan = string | hex;
    field /a~1b/~0/1 = json | base64;
    field /deep/er optional = json | hex;
EOC

add('kid', both('sign sign = rs256 key=k kid=keyId over=<text> | base64;'),
    k => 'rsa.pem id=new|other.pem id=old');
add('kid-header', both('sign header:X-Sign = hs256 key=k kid=header:X-Kid'
                       . ' over=<text> | hex;'),
    'secret k' => 'data:one text id=1|data:two text id=2');

add('sorted', both('sign sign = md5 over=<sorted> | hex;'));
add('sorted-some', both('sign sign = md5 over=<sorted>&key=<secret:app>'
                        . ' except=remark,b skip=empty | hex;'), @secret);

add('stripe', both(<<'EOC'), 'secret whsec' => 'data:whsec_test text');
    set header:Stripe-Signature:t $envelope_time;
    sign header:Stripe-Signature:v1 = hs256 key=whsec
         over=<header:Stripe-Signature:t>.<body> | hex;
EOC
add('github', both('sign header:X-Hub-Signature-256 = hs256 key=app'
                   . ' over=<body> | hex | prefix sha256=;'),
    'secret app' => q('data:It\'s a Secret to Everybody' text));
add('slack', both(<<'EOC'),
    set header:X-Slack-Request-Timestamp $envelope_time keep;
    sign header:X-Slack-Signature = hs256 key=app
         over=v0:<header:X-Slack-Request-Timestamp>:<body> | hex | prefix v0=;
EOC
    'secret app' => 'data:8f742231b10e8888abcd99yyyzzz85a5 text');
add('shopify', both('sign header:X-Shopify-Hmac-Sha256 = hs256 key=app'
                    . ' over=<body> | base64;'),
    'secret app' => 'data:hush text');
add('standard', both(<<'EOC'),
    set header:webhook-id $envelope_uuid keep;
    set header:webhook-timestamp $envelope_time keep;
    sign header:webhook-signature = hs256 key=app
         over=<header:webhook-id>.<header:webhook-timestamp>.<body>
         | base64 | prefix v1,;
EOC
    'secret app' => 'data:MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw base64');
add('wechat', both(<<'EOC'),
    field /resource/ciphertext = json
          | aes-256-gcm key=v3 iv=</resource/nonce>
            aad=</resource/associated_data> | base64;
    set header:Wechatpay-Timestamp $envelope_time;
    set header:Wechatpay-Nonce $envelope_nonce;
    sign header:Wechatpay-Signature = rs256 key=platform
         "over=<header:Wechatpay-Timestamp>\n<header:Wechatpay-Nonce>\n<body>\n"
         | base64;
EOC
    platform => 'rsa.pem',
    'secret v3' => 'data:0123456789abcdef0123456789ABCDEF text');
add('mixed', <<'EOC', @secret);
    request {
        set header:X-Time $envelope_time;
        sign header:X-Sign = hs512 key=app
             over=<header:X-Time>$request_method$request_uri<body> | base64url;
    }
EOC

for my $alg (qw( rs1 rs256 rs512 ps256 es256 eddsa )) {
    my $key = $alg eq 'es256' ? 'p256' : $alg eq 'eddsa' ? 'ed25519'
                                                         : 'rsa2048';
    add("jdk-$alg", "webhook { sign sign = $alg key=k over=<text> | base64; }",
        k => "$keys/jdk/$key.pub.pem");
}

add("jdk-$_", "webhook { field data = json | aes-256-$_ key=s.key iv=s.iv"
              . ' | hex; field key = s | rsa-oaep key=k hash=sha256 mgf1=sha1'
              . ' | hex; random s key:32 iv:16; }',
    k => "$keys/jdk/rsa2048.pem") for qw( cbc gcm );

add_block_preprocessor(sub {
    my $block = shift;

    # that what no key protects is no webhook to rely on
    $block->set_value('suppress_stderr', 1);

    $block->set_value('no_error_log', "[error]\n[alert]\n")
        if !defined $block->error_log && !defined $block->no_error_log;

    attack_section($block);

    $block->set_value('http_config', $http . $config->{http});
    $block->set_value('config', locations($config->{locations}));
});

log_level('info');

plan tests => repeat_each() * 799;

run_tests();

__DATA__

=== TEST 1: RSA PKCS#1 v1.5 and PSS, ECDSA, EdDSA: signed by us, verified elsewhere
--- request eval
[map { "POST /seal/$_\n" . ::plain($_) } @::public]
--- response_body_filters eval
\&::verified
--- response_body eval
[map { "$_ verified" } @::public]
--- error_code eval
[(200) x 10]



=== TEST 2: the same: signed elsewhere, verified by us
--- request eval
[map { "POST /open/$_\n" . ::signed($_) } @::public]
--- response_body eval
[map { ::plain($_) } @::public]
--- error_code eval
[(200) x 10]



=== TEST 3: the same under another key
--- attack eval
[map { ::post("/open/$_", ::signed($_, ::sign($_, qq($_| t/"),
       ::key_of($_) =~ s/^(?!rsa)/other-/r =~ s/^rsa/other/r))) } @::public]
--- response_body eval
"10 x 401 " . ::unauthorized() . "\napplication: 0\n"
--- error_log
webhook: sign sign: the signature does not match
--- no_error_log
[alert]



=== TEST 4: the same with the signature of another algorithm of the key
--- attack eval
my %by = map { $_ => ::sign($_, 'text') } @::rsa;
[map { my $alg = $_;
       map { ::post("/open/over-$alg", '{"text":"text","sign":"' . ::b64($by{$_}) . '"}') }
           @::rsa } @::rsa]
--- response_body eval
qq(7 x 200 {"text":"text"}\n42 x 401 ) . ::unauthorized() . "\napplication: 7\n"
--- error_log
webhook: sign sign: the signature does not match
--- no_error_log
[alert]



=== TEST 5: PS256: a salt of another length; ES256: DER, r and s cut, swapped, with a zero more, both zero
--- attack eval
my @ps = map { ::openssl('dgst -sha256 -sign rsa.pem -sigopt rsa_padding_mode:pss'
                         . " -sigopt rsa_pss_saltlen:$_", qq(ps256| t/")) } 0, 20, 33;
my $es = ::sign('es256', qq(es256| t/"));
my $der = ::openssl('dgst -sha256 -sign p256.pem', qq(es256| t/"));
[(map { ::post("/open/ps256", ::signed('ps256', $_)) } @ps),
 (map { ::post("/open/es256", ::signed('es256', $_)) }
      $der, "$es\0", "\0$es", substr($es, 0, 63),
      substr($es, 32) . substr($es, 0, 32), "\0" x 64)]
--- response_body eval
"9 x 401 " . ::unauthorized() . "\napplication: 0\n"
--- error_log
webhook: sign sign: the signature does not match
--- no_error_log
[alert]



=== TEST 6: openssl verifies RS256, PS256 and (r || s as DER) nothing but what we signed
--- request eval
["POST /seal/rs256\n" . ::plain('rs256'), "POST /seal/ps256\n" . ::plain('ps256')]
--- response_body_filters eval
sub {
    my ($alg, $sign) = $_[0] =~ /"alg":"(\w+)".*"sign":"(.*?)"/;
    ::spew('sig', ::unb64($sign));
    return ::openssl('dgst -sha256 -verify rsa.pub.pem -signature sig'
                     . ($alg =~ /ps/ ? ' -sigopt rsa_padding_mode:pss'
                                       . ' -sigopt rsa_pss_saltlen:32' : ''),
                     qq($alg| t/"));
}
--- response_body eval
["Verified OK\n", "Verified OK\n"]
--- error_code eval
[200, 200]



=== TEST 7: HMAC and digests: the very bytes
--- request eval
[map { "POST /seal/$_\n" . ::plain($_) } @::mac, @::digest]
--- response_body eval
[map { ::signed($_) } @::mac, @::digest]
--- error_code eval
[(200) x 8]



=== TEST 8: HMAC and digests: made elsewhere, verified by us
--- request eval
[map { "POST /open/$_\n" . ::signed($_) } @::mac, @::digest]
--- response_body eval
[map { ::plain($_) } @::mac, @::digest]
--- error_code eval
[(200) x 8]



=== TEST 9: HMAC and digests: a bit changed, cut short, too long, empty, zeroes
--- attack eval
[map { my $alg = $_; my $good = ::sign($alg, qq($alg| t/"));
       map { ::post("/open/$alg", ::signed($alg, $_)) }
           $good ^ ("\1" . "\0" x (length($good) - 1)), substr($good, 0, -1),
           "$good\0", substr($good, 0, 1), "\0" x length $good }
     @::mac, @::digest]
--- response_body eval
"40 x 401 " . ::unauthorized() . "\napplication: 0\n"
--- error_log
webhook: sign sign: 
--- no_error_log
[alert]



=== TEST 10: the Java platform's signatures
--- request eval
my $text = ::jdk('text.json') =~ s/([\\"])/\\$1/gr =~ s/\t/\\t/gr;
[map { qq(POST /open/jdk-$_\n{"sign":") . ::b64(::jdk("$_.sig"))
       . qq(","text":"$text"}) } qw( rs1 rs256 rs512 ps256 es256 eddsa )]
--- response_body eval
[('{"text":"' . (::jdk('text.json') =~ s/([\\"])/\\$1/gr =~ s/\t/\\t/gr)
  . '"}') x 6]
--- error_code eval
[(200) x 6]



=== TEST 11: the Java platform: AES-CBC, AES-GCM, the session's key under OAEP
--- request eval
[map { qq(POST /open/jdk-$_\n{"data":") . ::hex_of(::jdk("$_.bin"))
       . '","key":"' . ::hex_of(::jdk('oaep-mgf1-sha1.bin')) . '"}' }
     qw( cbc gcm )]
--- response_body eval
[('{"data":' . ::jdk('text.json') . '}') x 2]
--- error_code eval
[200, 200]



=== TEST 12: AES: every size and mode, sealed by us
--- request eval
[map { qq(POST /seal/aes-$_\n{"data":"\xe5\x8d\xa1 $_"}) } @::modes]
--- response_body_filters eval
my $i = 0;
sub {
    my $data = pack 'H*', $_[0] =~ s/.*"(.*)".*/$1/r;
    my ($size, $mode) = split /-/, $::modes[$i++ % @::modes];
    my $n = { ecb => 0, cbc => 16, gcm => 12 }->{$mode};
    return ::peer("aes-open $mode $::aes{$size} " . ::hex_of(substr $data, 0, $n, ''),
                  $data);
}
--- response_body eval
[map { qq("\xe5\x8d\xa1 $_") } @::modes]
--- error_code eval
[(200) x 9]



=== TEST 13: AES: every size and mode, opened by us
--- request eval
[map {
    my ($size, $mode) = split /-/;
    my $iv = substr $::iv, 0, { ecb => 0, cbc => 32, gcm => 24 }->{$mode};
    my $data = ::peer("aes-seal $mode $::aes{$size} $iv", ::odd());
    "POST /open/aes-$_\n" . ::data(pack('H*', $iv) . $data)
} @::modes]
--- response_body eval
[('{"data":' . ::odd() . '}') x 9]
--- error_code eval
[(200) x 9]



=== TEST 14: AES-CBC and -ECB: openssl makes the same
--- request eval
[(map { qq(POST /seal/aes-$_-ecb\n{"data":[1.0, $_]}) } 128, 192, 256),
 qq(POST /seal/hex-cbc\n{"data":[1.0, 256]})]
--- response_body eval
[(map { ::data(::openssl("enc -aes-$_-ecb -K $::aes{$_}", "[1.0, $_]")) }
      128, 192, 256),
 ::data(::openssl("enc -aes-256-cbc -K $::aes{256} -iv $::iv", "[1.0, 256]"))]
--- error_code eval
[(200) x 4]



=== TEST 15: AES: an IV in front is another one each time
--- request eval
[map { (qq(POST /seal/aes-256-$_\n{"data":1})) x 2 } qw( cbc gcm )]
--- response_body_filters eval
my %seen;
sub { $seen{substr $_[0], 0, 33}++ ? 'again' : 'new' }
--- response_body eval
[('new') x 4]
--- error_code eval
[(200) x 4]



=== TEST 16: AES: iv= of a constant, a random, a part of one, a member, a header: sealed by us
--- request eval
[map { my $mode = $_;
       map { qq(POST /seal/$_-$mode\n{"data":{"a":1.0},"h":{"nonce":"0123456789abcdef"}}) }
           qw( hex random part member header ) } qw( cbc gcm )]
--- more_headers
X-IV: fedcba9876543210
--- response_body_filters eval
my $i = 0;
sub {
    my ($data) = $_[0] =~ /"data":"(\w+)"/ or return $_[0];
    my ($n) = $_[0] =~ /"n":"(.*?)"/;
    my $mode = qw( cbc gcm )[$i / 5 % 2];
    my $iv = (sub { $::iv }, sub { ::hex_of(::unb64($n)) },
              sub { substr $n, 16, 32 }, sub { ::hex_of('0123456789abcdef') },
              sub { ::hex_of('fedcba9876543210') })[$i++ % 5]->();
    return ::peer("aes-open $mode $::aes{256} $iv", pack 'H*', $data);
}
--- response_body eval
[('{"a":1.0}') x 10]
--- error_code eval
[(200) x 10]



=== TEST 17: AES: iv= of each kind: opened by us
--- request eval
[map {
    my $mode = $_;
    my $data = sub { ::hex_of(::peer("aes-seal $mode $::aes{256} $_[0]",
                                     '{"a" : 1.0}')) };
    my $d = $data->($::iv);
    (qq(POST /open/hex-$mode\n{"data":"$d"}),
     qq(POST /open/random-$mode\n{"data":"$d","n":") . ::b64(pack 'H*', $::iv) . '"}',
     qq(POST /open/part-$mode\n{"n":") . 'ab' x 8 . $::iv . 'cd' x 3 . qq(","data":"$d"}),
     qq(POST /open/member-$mode\n{"data":") . $data->(::hex_of('0123456789abcdef'))
     . '","h":{"nonce":"01234567\\u0038\\u0039abcdef"}}',
     qq(POST /open/header-$mode\n{"data":") . $data->(::hex_of('fedcba9876543210')) . '"}')
} qw( cbc gcm )]
--- more_headers
X-IV: fedcba9876543210
--- response_body eval
[(('{"data":{"a" : 1.0}}') x 3,
  '{"data":{"a" : 1.0},"h":{"nonce":"01234567\u0038\u0039abcdef"}}',
  '{"data":{"a" : 1.0}}') x 2]
--- error_code eval
[(200) x 10]



=== TEST 18: AES-GCM: aad= is authenticated: sealed by us
--- request
POST /seal/aad
{"id":"no\u002e 1","data":[1.0]}
--- more_headers
X-Aad: a b
--- response_body_filters eval
sub {
    my ($iv, $data) = $_[0] =~ /"data":"(\w{24})(\w+)"/ or return $_[0];
    return ::peer("aes-open gcm $::aes{128} $iv " . ::hex_of('no. 1/a b/<x'),
                  pack 'H*', $data);
}
--- response_body chomp
[1.0]



=== TEST 19: AES-GCM: aad= is authenticated: opened by us
--- attack eval
my $wire = '{"id":"no. 1",' . substr ::data(pack('H*', substr $::iv, 0, 24)
    . ::peer("aes-seal gcm $::aes{128} " . substr($::iv, 0, 24) . ' '
             . ::hex_of('no. 1/a b/<x'), '[1.0]')), 1;
[::post('/open/aad', $wire, 'X-Aad: a b'),
 ::post('/open/aad', $wire =~ s/no\. 1/no. 2/r, 'X-Aad: a b'),
 ::post('/open/aad', $wire, 'X-Aad: a  b')]
--- response_body eval
qq(1 x 200 {"id":"no. 1","data":[1.0]}\n2 x 401 ) . ::unauthorized()
. "\napplication: 1\n"
--- error_log
webhook: field data: 
the tag does not match
--- no_error_log
[alert]



=== TEST 20: OAEP: every digest with every MGF1, in blocks: sealed by us
--- request eval
[map { qq(POST /seal/oaep-$_\n{"data":") . 'x' x 248 . '"}' } @::oaep]
--- response_body_filters eval
my $i = 0;
sub {
    my ($data) = $_[0] =~ /"data":"(\w+)"/ or return $_[0];
    my $oaep = $::oaep[$i++ % @::oaep] =~ s/-/ /r;
    return ::peer("oaep-open rsa.pem $oaep", pack 'H*', $data);
}
--- response_body eval
[('"' . 'x' x 248 . '"') x 16]
--- error_code eval
[(200) x 16]



=== TEST 21: OAEP: every digest with every MGF1, in blocks: opened by us
--- request eval
[map { "POST /open/oaep-$_\n"
       . ::data(::peer('oaep-seal rsa.pub.pem ' . s/-/ /r,
                       '"' . 'x' x 248 . '"')) } @::oaep]
--- response_body eval
[('{"data":"' . 'x' x 248 . '"}') x 16]
--- error_code eval
[(200) x 16]



=== TEST 22: OAEP: a label, with every digest and MGF1: sealed by us
--- request eval
[map { qq(POST /seal/label-$_\n{"data":[1.0]}) } @::oaep]
--- response_body_filters eval
my $i = 0;
sub {
    my ($data) = $_[0] =~ /"data":"(\w+)"/ or return $_[0];
    my $oaep = $::oaep[$i++ % @::oaep] =~ s/-/ /r;
    return ::peer("oaep-open rsa.pem $oaep " . ::hex_of('Lbl-1'),
                  pack 'H*', $data);
}
--- response_body eval
[('[1.0]') x 16]
--- error_code eval
[(200) x 16]



=== TEST 23: OAEP: a label, by openssl; sha1 is the default of both digests: opened by us
--- request eval
my $pkeyutl = 'pkeyutl -encrypt -pubin -inkey rsa.pub.pem -pkeyopt'
              . ' rsa_padding_mode:oaep';
["POST /open/label-sha256-sha512\n"
 . ::data(::openssl("$pkeyutl -pkeyopt rsa_oaep_md:sha256 -pkeyopt"
                    . ' rsa_mgf1_md:sha512 -pkeyopt rsa_oaep_label:'
                    . ::hex_of('Lbl-1'), '[1.0]')),
 "POST /open/oaep-default\n" . ::data(::openssl($pkeyutl, '[1.0]'))]
--- response_body eval
[('{"data":[1.0]}') x 2]
--- error_code eval
[200, 200]



=== TEST 24: OAEP: another digest, another MGF1, a label too many, none, another
--- request eval
my $seal = sub { ::data(::peer("oaep-seal rsa.pub.pem $_[0]", '[1]')) };
["POST /open/oaep-sha256-sha256\n" . $seal->('sha1 sha256'),
 "POST /open/oaep-sha256-sha256\n" . $seal->('sha256 sha1'),
 "POST /open/oaep-sha256-sha256\n" . $seal->('sha256 sha256 ' . ::hex_of('Lbl-1')),
 "POST /open/label-sha256-sha256\n" . $seal->('sha256 sha256'),
 "POST /open/label-sha256-sha256\n" . $seal->('sha256 sha256 ' . ::hex_of('lbl-1'))]
--- response_body eval
[(::unauthorized()) x 5]
--- error_code eval
[(401) x 5]
--- error_log
webhook: field data: 
--- no_access_log
upstream 127.0.0.1
--- no_error_log
[alert]



=== TEST 25: base64, base64url, hex, prefix, and some of them in a row: sealed by us
--- raw_request eval
::post('/seal/codecs', qq({"b64":"\xfb\xef\xbe>","url":"\xfb\xef\xbe>","hex":"\\u007e\xc3\xa9","pre":"a\\"b","two" : [1.0 ]})
       =~ s/\xfb\xef\xbe/\xef\xbf\xbe?/gr)
--- response_body eval
my $text = "\xef\xbf\xbe?>";
my $url = sub { ::b64($_[0]) =~ tr{+/}{-_}r =~ s/=+//r };
qq({"b64":") . ::b64($text) . '","url":"' . $url->($text)
. '","hex":"7ec3a9","pre":"v1: a\\"b","two" : "'
. ::b64($url->('x-' . ::hex_of('[1.0 ]'))) . '"}'



=== TEST 26: the same: opened by us; hex in either case
--- request eval
my $url = sub { ::b64($_[0]) =~ tr{+/}{-_}r =~ s/=+//r };
qq(POST /open/codecs\n{"b64":") . ::b64("\xef\xbf\xbe?>") . '","url":"'
. $url->("\xef\xbf\xbe?>") . '","hex":"7Ec3A9","pre":"v1: a\\"b","two" : "'
. ::b64($url->('x-' . ::hex_of('[1.0 ]'))) . '"}'
--- response_body eval
qq({"b64":"\xef\xbf\xbe?>","url":"\xef\xbf\xbe?>","hex":"~\xc3\xa9","pre":"a\\"b","two" : [1.0 ]})



=== TEST 27: encodings are strict
--- attack eval
my %good = (b64 => 'YQ==', url => 'YQ', hex => '61', pre => 'v1: a',
            two => ::b64('eC0zMQ'));
[map { my %m = (%good, @$_);
       ::post('/open/codecs', '{' . CORE::join(',', map { qq("$_":"$m{$_}") } sort keys %m) . '}') }
     [], [b64 => 'YQ'], [b64 => 'YR=='], [b64 => 'YQ=='. 'YQ=='], [b64 => 'Y Q=='],
     [b64 => 'YQ==\n'], [b64 => 'YQ=E'], [b64 => '===='], [b64 => 'Y-=='],
     [url => 'YQ=='], [url => 'YR'], [url => 'Y+A'], [url => 'Y'],
     [hex => '6'], [hex => '6g'], [hex => '0x61'], [hex => ' 61'],
     [pre => 'V1: a'], [pre => 'v1:a'], [pre => 'v1'],
     [two => ::b64('LXgzMQ')], [two => ::b64('eC0zMQ==')]]
--- response_body eval
qq(1 x 200 {"b64":"a","hex":"a","pre":"a","two":1,"url":"a"}\n)
. '21 x 401 ' . ::unauthorized() . "\napplication: 1\n"
--- error_log
webhook: field b64: 
webhook: field url: 
webhook: field hex: 
webhook: field pre: 
webhook: field two: 
--- no_error_log
[alert]



=== TEST 28: JSON pointers: every element, escapes, an index; an optional one that is not there
--- request eval
[qq(POST /seal/pointers\n{"cards":[{"pan":"42","x":1.0},{"pan":"\xc3\xa9"}, { "pan" : "00" }],"a/b":{"~":[0,{"q":1.0}]}}),
 qq(POST /open/pointers\n{"cards":[{"pan":"3432","x":1.0},{"pan":"c3a9"}, { "pan" : "3030" }],"a/b":{"~":[0,"eyJxIjoxLjB9"]},"deep":{"er":"74727565"}})]
--- response_body eval
['{"cards":[{"pan":"3432","x":1.0},{"pan":"c3a9"}, { "pan" : "3030" }],"a/b":{"~":[0,"eyJxIjoxLjB9"]}}',
 qq({"cards":[{"pan":"42","x":1.0},{"pan":"\xc3\xa9"}, { "pan" : "00" }],"a/b":{"~":[0,{"q":1.0}]},"deep":{"er":true}})]
--- error_code eval
[200, 200]



=== TEST 29: JSON pointers: an element without the member, or with an empty one
--- attack eval
[map { ::post('/open/pointers', qq({"cards":[{"pan":"34"},$_],"a/b":{"~":[0,"eyJxIjoxLjB9"]}})) }
     '{"pan":"35"}', '{}', '{"pan":""}', '{"pan":null}', '{"pan":1}', '"pan"',
     '{"pan":"36","pan":"36"}', '{"pan":"36","p\u0061n":"36"}']
--- response_body eval
qq(1 x 200 {"cards":[{"pan":"4"},{"pan":"5"}],"a/b":{"~":[0,{"q":1.0}]}}\n)
. '7 x 400 ' . ::bad_request() . "\napplication: 1\n"
--- error_log
webhook: field /cards/*/pan: 
--- no_error_log
[alert]



=== TEST 30: kid=: the id of the key that sealed, whatever the application says
--- request
POST /seal/kid
{"text":"a","keyId":"old"}
--- response_body_filters eval
sub {
    my ($kid, $sign) = $_[0] =~ /\A\{"text":"a","keyId":"(\w+)","sign":"(.*?)"\}\z/
        or return $_[0];
    return "$kid " . ::peer('verify rs256 rsa.pub.pem ' . ::hex_of(::unb64($sign)), 'a');
}
--- response_body chomp
new verified



=== TEST 31: kid=: names a key of the ring, and only that one will do
--- attack eval
my $wire = sub { my ($kid, $key) = @_;
    qq({"text":"a","keyId":"$kid","sign":")
    . ::b64(::sign('rs256', 'a', $key)) . '"}' };
[map { ::post('/open/kid', $_) }
 $wire->('new', 'rsa'), $wire->('old', 'other'), $wire->('new', 'other'),
 $wire->('old', 'rsa'), $wire->('none', 'rsa'), $wire->('NEW', 'rsa'),
 $wire->('new', 'rsa') =~ s/"keyId":"new",//r,
 $wire->('new', 'rsa') =~ s/"keyId":/"keyId":"new","keyId":/r]
--- response_body eval
qq(2 x 200 {"text":"a"}\n4 x 401 ) . ::unauthorized() . "\n2 x 400 "
. ::bad_request() . "\napplication: 2\n"
--- error_log
webhook: sign sign: no key "k" has the id that keyId names
webhook: sign sign: the signature does not match
--- no_error_log
[alert]



=== TEST 32: kid= in a header, of a ring of secrets
--- attack eval
[map { my ($kid, $secret) = @$_;
       ::post('/open/kid-header', '{"text":"a"}', "X-Kid: $kid",
              'X-Sign: ' . Digest::SHA::hmac_sha256_hex('a', $secret)) }
     [1, 'one'], [2, 'two'], [1, 'two'], [3, 'one']]
--- response_body eval
qq(2 x 200 {"text":"a"}\n2 x 401 ) . ::unauthorized() . "\napplication: 2\n"
--- error_log
webhook: sign header:X-Sign: no key "k" has the id that header:X-Kid names
--- no_error_log
[alert]



=== TEST 33: <sorted>: members by name, decoded strings, other values as they stand
--- request eval
qq(POST /seal/sorted\n{"b":"x y","a":1.0,"B":null,"sign":"old","aa":{"z" : 1},"\\u0061b":"\\u00e9&=","c":"","d":[1, 2],"\xc3\xa9":true})
--- response_body eval
qq({"b":"x y","a":1.0,"B":null,"aa":{"z" : 1},"\\u0061b":"\\u00e9&=","c":"","d":[1, 2],"\xc3\xa9":true,"sign":")
. Digest::MD5::md5_hex(qq(B=null&a=1.0&aa={"z" : 1}&ab=\xc3\xa9&=&b=x y&c=&d=[1, 2]&\xc3\xa9=true)) . '"}'



=== TEST 34: <sorted> with except=, skip=empty and a secret behind it
--- request eval
qq(POST /seal/sorted-some\n{"z":"0","b":"left out","remark":"too","n":null,"e":"","s":" ","f":false,"o":{},"a":0})
--- response_body eval
qq({"z":"0","b":"left out","remark":"too","n":null,"e":"","s":" ","f":false,"o":{},"a":0,"sign":")
. Digest::MD5::md5_hex("a=0&f=false&o={}&s= &z=0&key=$::hmac") . '"}'



=== TEST 35: <sorted>: verified; what is left out may differ
--- request eval
my $sign = Digest::MD5::md5_hex("a=0&z=\xc3\xa9&key=$::hmac");
[map { "POST /open/sorted-some\n$_" }
 qq({"z":"\xc3\xa9","a":0,"sign":"$sign"}),
 qq({"sign":"$sign","remark":{"x":1},"b":2,"a":0,"n":null,"e":"","z":"\\u00e9"})]
--- error_code eval
[200, 200]
--- response_body eval
[qq({"z":"\xc3\xa9","a":0}),
 '{"remark":{"x":1},"b":2,"a":0,"n":null,"e":"","z":"\\u00e9"}']



=== TEST 36: <sorted>: what is joined may not differ, nor stand twice
--- attack eval
my $sign = Digest::MD5::md5_hex("a=0&z=\xc3\xa9&key=$::hmac");
[map { ::post('/open/sorted-some', $_) }
 qq({"z":"\xc3\xa9","a":0.0,"sign":"$sign"}),
 qq({"z":"\xc3\xa9","a":0,"c":"1","sign":"$sign"}),
 qq({"z":"\xc3\xa9","sign":"$sign"}),
 qq({"z":"\xc3\xa9","a":0,"a":0,"sign":"$sign"}),
 qq({"z":"\xc3\xa9","a":0,"remark":1,"remark":2,"sign":"$sign"})]
--- response_body eval
'3 x 401 ' . ::unauthorized() . "\n2 x 400 " . ::bad_request()
. "\napplication: 0\n"
--- error_log
webhook: sign sign: the signature does not match
webhook: sign sign: a member stands twice in what <sorted> joins
--- no_error_log
[alert]



=== TEST 37: Stripe: any v1 verifies: the first, the second, among others, with spaces
--- request eval
[(qq(POST /open/stripe\n{"id":"evt_1", "n":1.0})) x 4]
--- more_headers eval
my $t = 1492774577;
my $good = Digest::SHA::hmac_sha256_hex(qq($t.{"id":"evt_1", "n":1.0}), 'whsec_test');
my $bad = '0' x 64;
[map { "Stripe-Signature: t=$t,$_" } "v1=$good", "v1=$bad,v1=$good,v0=$bad",
 "v0=$bad,v1=$good,v1=$bad", " v1=$good, v0=x"]
--- response_body eval
[('{"id":"evt_1", "n":1.0}') x 4]
--- error_code eval
[(200) x 4]



=== TEST 38: Stripe: no v1 that is right, v0 alone, another t, another body
--- request eval
[(qq(POST /open/stripe\n{"id":"evt_1"})) x 3, qq(POST /open/stripe\n{"id":"evt_2"}),
 (qq(POST /open/stripe\n{"id":"evt_1"})) x 2]
--- more_headers eval
my $t = 1492774577;
my $good = Digest::SHA::hmac_sha256_hex(qq($t.{"id":"evt_1"}), 'whsec_test');
my $bad = '0' x 64;
['Stripe-Signature: t=' . $t . ",v1=$bad,v1=$bad",
 "Stripe-Signature: t=1492774578,v1=$good", "Stripe-Signature: t=$t,v1=$good$good",
 "Stripe-Signature: t=$t,v1=$good",
 "Stripe-Signature: t=$t,v0=$good", "Stripe-Signature: v1=$good"]
--- error_code eval
[401, 401, 401, 401, 400, 400]
--- response_body eval
[(::unauthorized()) x 4, (::bad_request()) x 2]
--- error_log
webhook: sign header:Stripe-Signature:v1: 
--- no_access_log
upstream 127.0.0.1
--- no_error_log
[alert]



=== TEST 39: GitHub: the example of its documentation, a body that is no JSON
--- request
POST /open/github
Hello, World!
--- more_headers
X-Hub-Signature-256: sha256=757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17
--- response_body chomp
Hello, World!



=== TEST 40: GitHub: without the prefix, with sha1=, one character of the body more
--- request eval
["POST /open/github\nHello, World!", "POST /open/github\nHello, World!",
 "POST /open/github\nHello, World!!"]
--- more_headers eval
my $sign = '757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17';
[map { "X-Hub-Signature-256: $_" } $sign, "sha1=$sign", "sha256=$sign"]
--- error_code eval
[401, 401, 401]
--- response_body eval
[(::unauthorized()) x 3]
--- error_log
webhook: sign header:X-Hub-Signature-256: 
--- no_access_log
upstream 127.0.0.1
--- no_error_log
[alert]



=== TEST 41: Slack: version, timestamp and a form's body
--- request
POST /open/slack
token=xyzz0WbapA4vBCDEFasx0q6G&team_id=T1DC2JH3J&text=&trigger_id=398738663015.47445629121.803a0bc887a14d10d2c447fce8b6703c
--- more_headers eval
"X-Slack-Request-Timestamp: 1531420618\nX-Slack-Signature: v0="
. Digest::SHA::hmac_sha256_hex('v0:1531420618:token=xyzz0WbapA4vBCDEFasx0q6G'
  . '&team_id=T1DC2JH3J&text=&trigger_id=398738663015.47445629121.'
  . '803a0bc887a14d10d2c447fce8b6703c', '8f742231b10e8888abcd99yyyzzz85a5')
--- response_body chomp
token=xyzz0WbapA4vBCDEFasx0q6G&team_id=T1DC2JH3J&text=&trigger_id=398738663015.47445629121.803a0bc887a14d10d2c447fce8b6703c



=== TEST 42: Shopify: base64 of a MAC over the body
--- attack eval
my $sign = 'X-Shopify-Hmac-Sha256: ' . ::b64(Digest::SHA::hmac_sha256('{"id": 1.0}', 'hush'));
[::post('/open/shopify', '{"id": 1.0}', $sign),
 ::post('/open/shopify', '{"id": 1.00}', $sign),
 ::post('/open/shopify', '{"id": 1.0}', $sign =~ s/=\z//r)]
--- response_body eval
qq(1 x 200 {"id": 1.0}\n2 x 401 ) . ::unauthorized() . "\napplication: 1\n"
--- error_log
webhook: sign header:X-Shopify-Hmac-Sha256: 
--- no_error_log
[alert]



=== TEST 43: Standard Webhooks: the example of its specification; id and time stay
--- request
POST /raw/standard
{"test": 2432232314}
--- more_headers
webhook-id: msg_p5jXN8AQM9LWM0D4loKWxJek
webhook-timestamp: 1614265330
webhook-signature: v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=
--- response_body_like: (?s)^POST /raw (?=.*\r\nwebhook-id: msg_p5jXN8AQM9LWM0D4loKWxJek\r\n)(?=.*\r\nwebhook-timestamp: 1614265330\r\n)(?!.*webhook-signature).*\r\n\r\n\{"test": 2432232314\}$



=== TEST 44: Standard Webhooks: another id, another time
--- request eval
[(qq(POST /open/standard\n{"test": 2432232314})) x 2]
--- more_headers eval
my $sign = 'webhook-signature: v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=';
["webhook-id: msg_p5jXN8AQM9LWM0D4loKWxJel\nwebhook-timestamp: 1614265330\n$sign",
 "webhook-id: msg_p5jXN8AQM9LWM0D4loKWxJek\nwebhook-timestamp: 1614265331\n$sign"]
--- error_code eval
[401, 401]
--- response_body eval
[(::unauthorized()) x 2]
--- error_log
webhook: sign header:webhook-signature: the signature does not match
--- no_access_log
upstream 127.0.0.1
--- no_error_log
[alert]



=== TEST 45: WeChat Pay: a signature over headers and the body, its resource under AES-GCM with associated data
--- request eval
"POST /open/wechat\n" . ($::wechat = '{"id":"EV-1","resource":{"algorithm":"AEAD_AES_256_GCM","ciphertext":"'
. ::b64(::peer('aes-seal gcm ' . ::hex_of('0123456789abcdef0123456789ABCDEF')
               . ' ' . ::hex_of('fdasflkja484') . ' '
               . ::hex_of('transaction'), '{"amount" : 1.0}'))
. '","nonce":"fdasflkja484","associated_data":"transaction"}}')
--- more_headers eval
"Wechatpay-Timestamp: 1554208460\nWechatpay-Nonce: 593BEC0C930BF1AFEB40B4A08C8FB242\n"
. 'Wechatpay-Signature: ' . ::b64(::openssl('dgst -sha256 -sign rsa.pem',
      "1554208460\n593BEC0C930BF1AFEB40B4A08C8FB242\n$::wechat\n"))
--- response_body chomp
{"id":"EV-1","resource":{"algorithm":"AEAD_AES_256_GCM","ciphertext":{"amount" : 1.0},"nonce":"fdasflkja484","associated_data":"transaction"}}



=== TEST 46: sealed by us: Stripe, GitHub, Slack, Shopify, Standard Webhooks, WeChat Pay, and a MAC over method, path and body
--- request eval
[map { qq(POST /shown/$_?x=%20y\n{"resource":{"ciphertext":[1.0],"nonce":"123456789012","associated_data":""}}) }
     qw( stripe github slack shopify standard wechat mixed )]
--- response_body_filters eval
my ($h, $body);
my $field = sub { $h =~ /^$_[0]: (.*?)\r?$/mi ? $1 : "no $_[0]" };
my $hmac = sub { Digest::SHA::hmac_sha256_hex(@_) };
my @checks = (sub {
    my ($t, $v1) = $field->('Stripe-Signature') =~ /\At=(\d+),v1=(\w+)\z/;
    $v1 eq $hmac->("$t.$body", 'whsec_test') && abs($t - time) < 5
}, sub {
    $field->('X-Hub-Signature-256')
        eq 'sha256=' . $hmac->($body, "It's a Secret to Everybody")
}, sub {
    my $t = $field->('X-Slack-Request-Timestamp');
    $field->('X-Slack-Signature')
        eq 'v0=' . $hmac->("v0:$t:$body", '8f742231b10e8888abcd99yyyzzz85a5')
}, sub {
    $field->('X-Shopify-Hmac-Sha256')
        eq ::b64(Digest::SHA::hmac_sha256($body, 'hush'))
}, sub {
    my ($id, $t) = map { $field->("webhook-$_") } qw( id timestamp );
    $id =~ /\A[0-9a-f-]{36}\z/ && $field->('webhook-signature')
        eq 'v1,' . ::b64(Digest::SHA::hmac_sha256("$id.$t.$body",
                             ::unb64('MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw')))
}, sub {
    my ($t, $n, $sign) = map { $field->("Wechatpay-$_") }
                             qw( Timestamp Nonce Signature );
    my ($data) = $body =~ /"ciphertext":"(.*?)"/;
    ::peer('verify rs256 rsa.pub.pem ' . ::hex_of(::unb64($sign)),
           "$t\n$n\n$body\n") eq 'verified'
    && ::peer('aes-open gcm ' . ::hex_of('0123456789abcdef0123456789ABCDEF')
              . ' ' . ::hex_of('123456789012'), ::unb64($data)) eq '[1.0]'
}, sub {
    my $text = $field->('X-Time') . "POST/shown/mixed?x=%20y$body";
    $field->('X-Sign') eq ::b64(Digest::SHA::hmac_sha512($text, $::hmac))
                              =~ tr{+/}{-_}r =~ s/=+\z//r
});
[map { my $check = $_;
       [sub { ($h, $body) = split /\r\n\r\n/, shift, 2; $check->() }] } @checks]
--- response_body eval
[(1) x 7]
--- error_code eval
[(200) x 7]

# Messages of an attacker.  A block sends many of them, one after the other:
# whatever is wrong within a class must be answered with the very same bytes
# (but for the date), and the application behind must get none of it.
#
# The report of a block has each different answer once, with the number of
# requests that got it, and the number of requests that the application got.

use Test::Nginx::Socket;
use Digest::SHA qw( hmac_sha256 hmac_sha256_hex sha256 );
use FindBin;
use lib "$FindBin::Bin/peers/lib";
use Envelope::Peer;

make_rsa(rsa => 2048, other => 2048);

our $k = 256;                           # bytes of a block
our $aes = '00112233445566778899aabbccddeeff';
our $iv = '0f0e0d0c0b0a09080706050403020100';
our $modulus = peer('rsa-modulus rsa.pub.pem');

start_peers();

# A format by its statements, in all the roles that open it: /webhook/NAME,
# /serve/NAME and, for what the upstream answers, /call/NAME.

our $config;

sub add {
    my ($name, $text, @keys) = @_;

    $config->{http} .= profile($name, "request { $text }\nwebhook { $text }\n",
                               @keys)
                       . profile("$name-call", "response { $text }\n", @keys);
    $config->{locations} .= "/webhook/$name webhook:$name /app\n"
                            . "/serve/$name serve:$name /app\n"
                            . "/call/$name call:$name-call /answer\n";
}

our @rsa = (k => 'rsa.pem');
our @app = ('secret app' => 'data:hush text');
our @aes = ('secret k' => "data:$aes hex");
our $mac = 'sign sig = hs256 key=app over=<data> | hex;';

add('pkcs1', 'field data = json | rsa-pkcs1 key=k | base64 | hex;', @rsa);
add('pkcs1-mac', "field data = json | rsa-pkcs1 key=k | base64 | hex; $mac",
    @rsa, @app);
add('oaep', 'field data = json | rsa-oaep key=k hash=sha256 mgf1=sha256'
            . ' label=L | hex;', @rsa);
add('private', 'field data = json | rsa-private key=k | hex;', @rsa);
add('cbc', 'field data = json | aes-128-cbc key=k iv=prefix | hex;', @aes);
add('cbc-mac', "field data = json | aes-128-cbc key=k iv=prefix | hex; $mac",
    @aes, @app);
add('ecb', 'field data = json | aes-128-ecb key=k | base64;', @aes);
add('gcm', 'field data = json | aes-128-gcm key=k iv=prefix aad=<id> | hex;',
    @aes);
add('param', 'body param; field param = json;'
             . ' sign sign = rs256 key=k over=<param> | base64;', @rsa);
add('hex', 'sign sign = hs256 key=app over=<a> | hex;', @app);
add('base64', 'sign sign = hs256 key=app over=<a> | base64;', @app);
add('header', 'sign header:X-Sign = hs256 key=app over=<body> | hex;', @app);
add('version', 'set header:X-Sign:t $envelope_time;'
               . ' sign header:X-Sign:v1 = hs256 key=app'
               . ' over=<header:X-Sign:t>.<body> | hex;', @app);
add('inner', 'sign sign = hs256 key=app over=<data> | hex;'
             . ' field data = json | base64;', @app);

# requests that bring these messages to a webhook and to a served API

sub both {
    my ($name, @wires) = @_;

    return map { (post("/webhook/$name", $_), post("/serve/$name", $_)) }
               @wires;
}

# calls that are answered with them

sub answers {
    my ($name, @wires) = @_;

    return map { post("/call/$name", '{}', answered_with($_)) } @wires;
}

sub refused {
    my ($count, $status) = @_;

    return "$count x $status "
           . ($status == 401 ? unauthorized() : bad_request())
           . "\napplication: 0\n";
}

# wire forms

sub data { '{"id":"1","data":"' . $_[0] . '"}' }
sub in_hex { data(hex_of($_[0])) }
sub in_both { data(hex_of(b64($_[0]))) }

sub with_mac {
    my $wire = shift;

    my ($data) = $wire =~ /"data":"(.*)"/;
    return $wire =~ s/\}\z/',"sig":"' . hmac_sha256_hex($data, 'hush') . '"}'/er;
}

sub pkcs1 { primitive_block("\x00\x02" . "\x05" x ($k - 3 - length $_[0])
                            . "\0" . $_[0]) }

sub primitive_block { peer('rsa-public rsa.pub.pem', shift) }

# RSA blocks that are no RSAES-PKCS1-v1_5 of anything, one with nothing in it
# and one with what is no JSON

our %bad_blocks;

sub bad_blocks {
    return %bad_blocks if %bad_blocks;

    my $json = '{"a":1}';
    my $text = sub { my $start = shift;
                     $start . "\x05" x ($k - 1 - length("$start$json"))
                     . "\0$json" };

    return %bad_blocks = (
        (map { my ($name, $block) = @$_; $name => primitive_block($block) }
            ['type 0' => $text->("\0\0")], ['type 1' => $text->("\0\1")],
            ['type 3' => $text->("\0\3")], ['type ff' => $text->("\0\xff")],
            ['first byte 1' => $text->("\1\2")],
            ['first byte of type' => $text->("\2\2")],
            (map { ["padding of $_" => "\0\2" . "\5" x $_ . "\0"
                    . ' ' x ($k - 3 - $_ - 7) . $json] } 0, 1, 7),
            ['no separator' => "\0\2" . "\5" x ($k - 2)],
            ['nothing but zeroes' => "\0" x $k],
            ['one' => "\0" x ($k - 1) . "\1"],
            ['nothing inside' => "\0\2" . "\5" x ($k - 3) . "\0"],
            ['junk inside' => "\0\2" . "\5" x ($k - 13) . "\0" . "\xfe" x 10],
            ['text inside' => "\0\2" . "\5" x ($k - 10) . "\0" . 'CANARY!'],
            ['cut JSON inside' => "\0\2" . "\5" x ($k - 9) . "\0" . '{"a":1'],
        ),
        'n' => $modulus, 'ff' => "\xff" x $k,
        'not below n' => substr($modulus, 0, -1) . "\xff",
    );
}

sub bad_count { scalar keys %{{ bad_blocks() }} }

# RSAES-OAEP by hand, to be wrong in one place

sub mgf1 {
    my ($seed, $length) = @_;

    my $mask = join '', map { sha256($seed . pack 'N', $_) } 0 .. $length / 32;
    return substr $mask, 0, $length;
}

sub oaep {
    my %o = (first => "\0", label => sha256('L'), mark => "\1",
             text => '{"a":1}', pad => "\0", @_);

    my $db = $o{label} . $o{pad} x ($k - 66 - length $o{text})
             . $o{mark} . $o{text};
    my $seed = 's' x 32;
    my $masked = $db ^ mgf1($seed, length $db);
    $masked ^= "\0" x 100 . $o{mask} . "\0" x (length($db) - 101)
        if defined $o{mask};

    return primitive_block($o{first} . ($seed ^ mgf1($masked, 32)) . $masked);
}

sub cbc {
    my ($plain, $raw) = @_;

    return pack('H*', $iv)
           . peer(($raw ? 'aes-raw' : 'aes-seal') . " cbc $aes $iv", $plain);
}

sub gcm {
    my ($plain, $aad, $iv_len) = @_;

    my $nonce = substr $iv, 0, 2 * ($iv_len // 12);
    return pack('H*', $nonce)
           . peer("aes-seal gcm $aes $nonce " . hex_of($aad // '1'), $plain);
}

sub param {
    my ($text, $key) = @_;

    $key //= 'rsa';
    return peer("E seal-webhook --platform $key.pem", $text);
}

sub signed {
    my ($encode, $sign) = @_;

    $sign //= hmac_sha256('x', 'hush');
    return '{"a":"x","sign":"' . $encode->($sign) . '"}';
}

add_block_preprocessor(sub {
    my $block = shift;

    # that some formats here are not authenticated
    $block->set_value('suppress_stderr', 1);

    $block->set_value('no_error_log', join "\n", '[alert]', '[crit]',
                      'CANARY', $block->no_error_log // ());

    attack_section($block);

    # the attack is driven behind nginx, and takes a minute under valgrind
    $block->set_value('http_config', "proxy_read_timeout 600s;\n"
                                     . $http . $config->{http});
    $block->set_value('config', locations($config->{locations}));
});

no_long_string();
log_level('info');

plan tests => repeat_each() * 292;

run_tests();

__DATA__

=== TEST 1: the good ones are opened: what follows is refused for what is said there
--- attack eval
[::both('pkcs1', ::in_both(::pkcs1('{"a":1}'))),
 ::both('pkcs1-mac', ::with_mac(::in_both(::pkcs1('{"a":1}')))),
 ::both('oaep', ::in_hex(::oaep())),
 ::both('private', ::in_hex(::peer('rsa-private rsa.pem',
     "\0\1" . "\xff" x ($::k - 10) . "\0" . '{"a":1}'))),
 ::both('cbc', ::in_hex(::cbc('{"a":1}'))),
 ::both('cbc-mac', ::with_mac(::in_hex(::cbc('{"a":1}')))),
 ::both('ecb', ::data(::b64(::peer("aes-seal ecb $::aes", '{"a":1}')))),
 ::both('gcm', ::in_hex(::gcm('{"a":1}'))),
 ::both('param', ::param('{"id":"1","data":{"a":1}}')),
 map { ::answers($_->[0], $_->[1]) }
     ['pkcs1', ::in_both(::pkcs1('{"a":1}'))], ['oaep', ::in_hex(::oaep())],
     ['cbc', ::in_hex(::cbc('{"a":1}'))], ['gcm', ::in_hex(::gcm('{"a":1}'))]]
--- response_body eval
qq(22 x 200 {"id":"1","data":{"a":1}}\napplication: 18\n)
--- no_error_log
[error]



=== TEST 2: RSA PKCS#1 v1.5: type, padding, separator, range, nothing, junk, text: one answer
--- attack eval
my %bad = ::bad_blocks();
[::both('pkcs1', map { ::in_both($bad{$_}) } sort keys %bad)]
--- response_body eval
::refused(2 * ::bad_count(), 401)
--- error_log
envelope: profile "pkcs1" webhook webhook: field data: 
envelope: profile "pkcs1" serve request: field data: 
--- timeout: 20



=== TEST 3: RSA PKCS#1 v1.5: the same in the first, the middle and the last of three blocks
--- attack eval
my %bad = ::bad_blocks();
my @good = map { ::pkcs1($_) } '{"a"', ' : ', '1}';
[::both('pkcs1', map { my $block = $bad{$_};
    map { my @blocks = @good; $blocks[$_] = $block;
          ::in_both(CORE::join '', @blocks) } 0 .. 2 }
    grep { $_ ne 'nothing inside' } sort keys %bad)]
--- response_body eval
::refused(6 * (::bad_count() - 1), 401)
--- error_log
envelope: profile "pkcs1" webhook webhook: field data: 



=== TEST 4: RSA PKCS#1 v1.5: the log, too, has one reason for wrong padding of any kind
--- attack eval
my %bad = ::bad_blocks();
[map { ::post('/webhook/pkcs1', ::in_both($bad{$_})) }
     grep { !/inside/ } sort keys %bad]
--- response_body eval
::refused(::bad_count() - 4, 401)
--- grep_error_log eval
qr/field data: [^,]*/
--- grep_error_log_out eval
"field data: what was recovered is not JSON\n" x (::bad_count() - 4)



=== TEST 5: RSA PKCS#1 v1.5: an answer to a call is 502
--- attack eval
my %bad = ::bad_blocks();
[::answers('pkcs1', map { ::in_both($bad{$_}) } sort keys %bad)]
--- response_body_like eval
qr/\A(?:\d+ x 502 \{"type":"about:blank","title":"Bad Gateway","status":502,"detail":"response: field data: [^"]*"\}\n)+application: 0\n\z/
--- error_log
envelope: profile "pkcs1-call" call response: field data: 



=== TEST 6: RSA PKCS#1 v1.5: where there is a MAC over the ciphertext, no block is looked at
--- attack eval
my %bad = ::bad_blocks();
[::both('pkcs1-mac', map { ::in_both($_) =~ s/\}\z/,"sig":"@{['00' x 32]}"}/r }
                         ::pkcs1('{"a":1}'), values %bad)]
--- response_body eval
::refused(2 + 2 * ::bad_count(), 401)
--- error_log
envelope: profile "pkcs1-mac" webhook webhook: sign sig: the signature does not match
--- no_error_log
field data



=== TEST 7: RSA blocks: a byte too few, too many, half a block, none
--- attack eval
my $good = ::pkcs1('{"a":1}');
[map { my $name = $_; my $wire = $name eq 'pkcs1' ? \&::in_both : \&::in_hex;
       map { ::both($name, $wire->($_)) }
           substr($good, 1), "\0$good", "$good\0", $good . substr($good, 0, 128),
           "\1" } qw( pkcs1 oaep private )]
--- response_body eval
::refused(30, 401)
--- error_log
field data: 



=== TEST 8: RSA blocks: an empty text is no message
--- attack eval
[::both('pkcs1', ::data('')), ::both('oaep', ::data('')),
 ::both('private', ::data(''))]
--- response_body eval
::refused(6, 400)
--- error_log
field data: data is empty



=== TEST 9: RSA blocks: more than there may be in a message is refused before any is opened
--- attack eval
[::both('private', ::in_hex("\1" x (262144 + 256)))]
--- response_body eval
::refused(2, 401)
--- error_log
field data: rsa-private: more than 262144 bytes of RSA ciphertext in one message



=== TEST 10: RSA type 1: type, padding, separator, range
--- attack eval
my $json = '{"a":1}';
my @blocks = map { my ($start, $fill, $end) = @$_;
    my $n = $::k - length("$start$end");
    ::peer('rsa-private rsa.pem', $start . $fill x $n . $end) }
    ["\0\0", "\xff", "\0$json"], ["\0\2", "\xff", "\0$json"],
    ["\1\1", "\xff", "\0$json"], ["\0\1\xfe", "\xff", "\0$json"],
    ["\0\1", "\x05", "\0$json"], ["\0\1", "\xff", ''],
    ["\0\1" . "\xff" x 7 . "\0", ' ', $json],
    ["\0\1", "\xff", "\0CANARY"], ["\0\1", "\xff", "\0"];
[::both('private', map { ::in_hex($_) } @blocks, $::modulus, "\xff" x $::k,
        "\0" x $::k, ::peer('rsa-private other.pem',
            "\0\1" . "\xff" x ($::k - 10) . "\0$json"))]
--- response_body eval
::refused(26, 401)
--- error_log
envelope: profile "private" webhook webhook: field data: 



=== TEST 11: RSA-OAEP (Manger): first byte, label, MGF1, separator, range, padding: one answer
--- attack eval
[::both('oaep', map { ::in_hex($_) }
    ::oaep(first => "\1"), ::oaep(first => "\x7f"),
    ::oaep(label => Digest::SHA::sha256('')), ::oaep(label => "\0" x 32),
    ::oaep(mark => "\0"), ::oaep(mark => "\2"), ::oaep(pad => "\1"),
    ::oaep(pad => "\3"), ::oaep(mask => "\2"), ::oaep(first => "\1", mark => "\2"),
    ::oaep(text => 'CANARY'), ::oaep(text => '{"a":1'), ::oaep(text => ''),
    $::modulus, "\xff" x $::k, "\0" x $::k, ::pkcs1('{"a":1}'))]
--- response_body eval
::refused(34, 401)
--- error_log
envelope: profile "oaep" webhook webhook: field data: 
envelope: profile "oaep" serve request: field data: 



=== TEST 12: RSA-OAEP: the log, too, has one reason
--- attack eval
[map { ::post('/webhook/oaep', ::in_hex($_)) }
    ::oaep(first => "\1"), ::oaep(label => Digest::SHA::sha256('')),
    ::oaep(mark => "\2"), ::oaep(pad => "\3"), ::oaep(mask => "\2"),
    ::pkcs1('{"a":1}')]
--- response_body eval
::refused(6, 401)
--- grep_error_log eval
qr/field data: [^,]*/
--- grep_error_log_out eval
"field data: rsa-oaep does not open with this key\n" x 6



=== TEST 13: AES-CBC: each of 256 values at each of the 16 places of the last block: good padding and bad are one answer
--- attack eval
my $good = ::cbc('[]');
[map { my $at = $_;
       map { my $wire = $good; substr($wire, $at, 1) ^= chr; 
             ::post('/webhook/cbc', ::in_hex($wire)) } 0 .. 255 } 0 .. 15]
--- response_body eval
qq(16 x 200 {"id":"1","data":[]}\n4080 x 401 ) . ::unauthorized()
. "\napplication: 16\n"
--- error_log
envelope: profile "cbc" webhook webhook: field data: 



=== TEST 14: AES-CBC: every length of padding that is right is one answer with those that are wrong
--- attack eval
[::both('cbc', map { ::in_hex(::cbc($_, 1)) }
    (map { "\xfe" x (16 - $_) . chr($_) x $_ } 1 .. 16),
    (map { "\xfe" x 15 . chr } 0, 2 .. 17, 32, 128, 255),
    (map { "\xfe" x 14 . "\1" . chr } 2, 3), "\x10" x 15 . "\x11",
    "\x10" x 16, '{"CANARY":1}' . "\5" x 4)]
--- response_body eval
::refused(2 * (16 + 20 + 2 + 1 + 1 + 1), 401)
--- error_log
envelope: profile "cbc" serve request: field data: 



=== TEST 15: AES-CBC: no block, half a block, no IV
--- attack eval
my $good = ::cbc('{"a":1}');
[::both('cbc', map { ::in_hex($_) } substr($good, 0, 16), substr($good, 0, 31),
        substr($good, 0, 15), substr($good, 16), substr($good, 0, 1),
        $good . 'x', substr($good, 0, 16) . substr($good, 17))]
--- response_body eval
::refused(14, 401)
--- error_log
envelope: profile "cbc" webhook webhook: field data: 



=== TEST 16: AES-CBC: where there is a MAC over the ciphertext, it is checked before the padding
--- attack eval
my $good = ::with_mac(::in_hex(::cbc('[]')));
[map { my $bit = $_; my $wire = $good;
       $wire =~ s/"data":"\K(\w+)/::hex_of(pack('H*', $1) ^ "\0" x 15 . chr($bit))/e;
       ::both('cbc-mac', $wire) } 1 .. 255]
--- response_body eval
::refused(510, 401)
--- error_log
envelope: profile "cbc-mac" webhook webhook: sign sig: the signature does not match
--- no_error_log
field data



=== TEST 17: AES-ECB: padding, half a block, none, another key
--- attack eval
[::both('ecb', map { ::data(::b64($_)) }
    (map { ::peer("aes-raw ecb $::aes", $_) } '{"a":1}' . ' ' x 9,
         '{"a":1}' . "\x0a" x 9, '{"a":1}' . "\x08" x 9, "\0" x 16, '{"a":1}' . ' ' x 8 . "\0"),
    substr(::peer("aes-seal ecb $::aes", '{"a":1}'), 1),
    (map { ::peer("aes-seal ecb " . '11' x 16, $_) } 1 .. 20))]
--- response_body eval
::refused(52, 401)
--- error_log
envelope: profile "ecb" webhook webhook: field data: 



=== TEST 18: AES-GCM: tags of 0 to 15 and of 17 bytes, a bit wrong in each byte, another IV, other associated data
--- attack eval
my $good = ::gcm('{"a":1}');
my $text = substr $good, 0, -16;
my $tag = substr $good, -16;
[::both('gcm', (map { ::in_hex($text . substr $tag, 0, $_) } 0 .. 15),
    ::in_hex("$good\0"), ::in_hex("$text\0$tag"), ::in_hex($text . "\0" x 16),
    (map { ::in_hex($good ^ "\0" x $_ . "\1" . "\0" x (length($good) - $_ - 1)) }
         0 .. length($good) - 1),
    ::in_hex(::gcm('{"a":1}', '2')), ::in_hex(::gcm('{"a":1}', '')),
    ::in_hex(::gcm('{"a":1}', '1', 16)), ::in_hex(substr $good, 0, 12),
    ::in_hex(substr $good, 0, 11), ::in_hex($tag),
    ::in_hex($good) =~ s/"id":"1"/"id":"\\u0032"/r)]
--- response_body eval
::refused(2 * (16 + 3 + 35 + 7), 401)
--- error_log
envelope: profile "gcm" webhook webhook: field data: aes-128-gcm: the tag does not match



=== TEST 19: AES-GCM: a large body with its last bit flipped: not a byte of it is released
--- attack eval
my $good = ::gcm('["' . 'CANARY ' x 40000 . '"]');
my @bad = ($good ^ "\0" x (length($good) - 1) . "\1",
           $good ^ "\0" x (length($good) - 17) . "\1" . "\0" x 16,
           substr $good, 0, -1);
[::both('gcm', map { ::in_hex($_) } @bad)]
--- response_body eval
::refused(6, 401)
--- error_log
envelope: profile "gcm" webhook webhook: field data: aes-128-gcm: the tag does not match



=== TEST 20: AES-GCM: answers to a call: 502, and nothing of the plain text
--- attack eval
my $good = ::gcm('["CANARY"]');
[::answers('gcm', ::in_hex($good ^ "\0" x (length($good) - 1) . "\1"),
    (map { ::in_hex(substr $good, 0, -$_) } 1 .. 16),
    ::in_hex(::gcm('["CANARY"]', '2')))]
--- response_body_like eval
qr/\A(?:\d+ x 502 \{"type":"about:blank","title":"Bad Gateway","status":502,"detail":"response: field data: (?:(?!CANARY)[^"])*"\}\n)+application: 0\n\z/
--- error_log
envelope: profile "gcm-call" call response: field data: aes-128-gcm: the tag does not match



=== TEST 21: blocks without a signature: order, loss and doubling show where no JSON comes out of it
--- attack eval
my ($a, $b, $c) = map { ::pkcs1($_) } '{"to":"me",', '"sum":', '1}';
[::both('pkcs1', map { ::in_both($_) } $b . $a . $c, $a . $c, $b . $c, $a . $b,
        $a . $b . $b . $c, $a . $a, $c . $b . $a, $a . $b . $c . $c)]
--- response_body eval
::refused(16, 401)
--- error_log
envelope: profile "pkcs1" webhook webhook: field data: 



=== TEST 22: blocks without a signature: what is spliced into other JSON passes (nothing authenticates it)
--- attack eval
my ($a, $b, $c, $d) = map { ::pkcs1($_) } '{"to":"me",', '"sum":', '1}', '9}';
[map { ::post('/webhook/pkcs1', ::in_both($_)) } $a . $b . $c, $a . $b . $d]
--- response_body eval
qq(1 x 200 {"id":"1","data":{"to":"me","sum":1}}\n)
. qq(1 x 200 {"id":"1","data":{"to":"me","sum":9}}\napplication: 2\n)
--- no_error_log
[error]



=== TEST 23: blocks with a signature: order, loss, doubling and splices are all refused
--- attack eval
my ($a, $b, $c, $d) = map { ::pkcs1($_) } '{"to":"me",', '"sum":', '1}', '9}';
my ($sig) = ::with_mac(::in_both($a . $b . $c)) =~ /("sig":".*")/;
[::both('pkcs1-mac', map { ::in_both($_) =~ s/\}\z/,$sig}/r } $b . $a . $c,
        $a . $c, $a . $b . $b . $c, $a . $b . $d, $a . $a . $b . $c,
        $a . $b . ::primitive_block("\0\2" . "\6" x ($::k - 5) . "\0" . '1}'))]
--- response_body eval
::refused(12, 401)
--- error_log
envelope: profile "pkcs1-mac" webhook webhook: sign sig: the signature does not match



=== TEST 24: members twice: what is signed, the signature, in plain and escaped spelling, whichever comes first
--- attack eval
my $good = ::param('{"a":1}');
my $evil = '"param":"{\"a\":2}"';
[::both('param', $good =~ s/\A\{/{$evil,/r, $good =~ s/\}\z/,$evil}/r,
    $good =~ s/\}\z/,"p\\u0061ram":"{}"}/r, $good =~ s/\A\{/{"\\u0070aram":null,/r,
    $good =~ s/\}\z/,"sign":""}/r, $good =~ s/\A\{/{"sig\\u006E":"x",/r,
    $good =~ s/\A\{(.*)\}\z/{$1,$1}/r)]
--- response_body eval
::refused(14, 400)
--- error_log
stands twice



=== TEST 25: members twice: what is encrypted, what is authenticated beside it
--- attack eval
my $good = ::in_hex(::gcm('{"a":1}'));
[::both('gcm', $good =~ s/\}\z/,"data":""}/r, $good =~ s/\A\{/{"d\\u0061ta":"00",/r,
    $good =~ s/\}\z/,"id":"1"}/r, $good =~ s/\A\{/{"\\u0069d":"2",/r)]
--- response_body eval
::refused(8, 400)
--- error_log
stands twice



=== TEST 26: members twice: in the answer to a call, and in what an application wants sealed
--- attack eval
my $good = ::in_hex(::gcm('{"a":1}'));
[::answers('gcm', $good =~ s/\}\z/,"data":""}/r, $good =~ s/\A\{/{"d\\u0061ta":"00",/r)]
--- response_body_like eval
qr/\A2 x 502 .*"detail":"response: field data: .*stands twice.*\napplication: 0\n\z/
--- error_log
stands twice



=== TEST 27: names: with a NUL, in another case, nested or in an array: never the one that is meant
--- attack eval
my ($param, $sign) = ::param('{"a":1}') =~ /"sign":(".*?"),"param":(".*")\}/
    or die; ($param, $sign) = ($sign, $param);
[::both('param', map { "{$_}" }
    qq("param\\u0000":$param,"sign":$sign), qq("\\u0000param":$param,"sign":$sign),
    qq("Param":$param,"sign":$sign), qq("PARAM":$param,"sign":$sign),
    qq("param ":$param,"sign":$sign), qq("par\\u200bam":$param,"sign":$sign),
    qq("x":{"param":$param,"sign":$sign}), qq("x":{"param":$param},"sign":$sign),
    qq("param":$param,"x":{"sign":$sign}), qq("param":[$param],"sign":$sign),
    qq("param":{"param":$param},"sign":$sign), qq("/param":$param,"sign":$sign),
    qq("param":$param,"sign\\u0000x":$sign))]
--- response_body eval
::refused(26, 400)
--- error_log
envelope: profile "param" webhook webhook: 



=== TEST 28: names: one that differs by a NUL is no duplicate, and what comes with it is dropped
--- attack eval
[::both('param', map { ::param('{"a":1}') =~ s/\A\{/{$_,/r }
    '"param\u0000":"{}"', '"Param":"{}"', '"x":{"param":"{}","sign":"y"}',
    '"x":[{"param":1},{"param":2}]', '"sign\u0000":1')]
--- response_body eval
qq(10 x 200 {"a":1}\napplication: 10\n)
--- no_error_log
[error]



=== TEST 29: wrapping: signed elsewhere in the message, the plain thing where it is read
--- attack eval
my $good = ::param('{"a":1}');
my ($sign) = $good =~ /"sign":(".*?")/;
[::both('param', qq({"param":"{\\"a\\":2}","sign":$sign}),
    qq({"param":"{\\"a\\":2}","sign":$sign,"signed":$good}),
    qq({"signed":$good,"param":"{\\"a\\":2}","sign":$sign,"alg":"none"}),
    $good =~ s/"param":"/"param":" /r, $good =~ s/"\}\z/\\n"}/r,
    $good =~ s/\\"a\\"/\\"\\u0430\\"/r, ::param('{"a":1}', 'other'))]
--- response_body eval
::refused(14, 401)
--- error_log
envelope: profile "param" webhook webhook: sign sign: the signature does not match



=== TEST 30: signatures: missing, null, of another type
--- attack eval
my $hex = \&::hex_of;
my $good = ::signed($hex);
[::both('hex', '{"a":"x"}', '{"a":"x","sign":null}', '{"a":"x","sign":0}',
    '{"a":"x","sign":true}', '{"a":"x","sign":{}}', '{"a":"x","sign":[]}',
    $good =~ s/"sign":(".*")/"sign":[$1]/r, $good =~ s/"sign"/"Sign"/r,
    $good =~ s/"a":"x",//r)]
--- response_body eval
::refused(18, 400)
--- error_log
envelope: profile "hex" webhook webhook: sign sign: 



=== TEST 31: signatures in hex: empty digits, spaces, too long, too short, a prefix, other alphabets
--- attack eval
my $hex = ::hex_of(Digest::SHA::hmac_sha256('x', 'hush'));
[map { ::both('hex', '{"a":"x","sign":"' . $_ . '"}') }
    " $hex", "$hex ", "$hex\\n", "\\t$hex", "$hex\\u0000", "${hex}0", "0$hex",
    "${hex}00", substr($hex, 1), substr($hex, 2), "0x$hex", "\\u00a0$hex",
    $hex =~ s/(\d)/"\xef\xbc" . chr(0x90 + $1)/er, $hex =~ s/\A./\\u0660/r,
    $hex =~ s/\A./g/r, '0' x 64, $hex x 2, $hex =~ s/(..)/$1:/gr, "v1=$hex"]
--- response_body eval
::refused(38, 401)
--- error_log
envelope: profile "hex" webhook webhook: sign sign: 



=== TEST 32: signatures in hex: capitals and escapes spell the same bytes
--- attack eval
my $hex = ::hex_of(Digest::SHA::hmac_sha256('x', 'hush'));
[map { ::both('hex', '{"a":"x","sign":"' . $_ . '"}') } uc $hex,
    $hex =~ s/(.)/sprintf '\\u%04x', ord $1/ger]
--- response_body eval
qq(4 x 200 {"a":"x"}\napplication: 4\n)
--- no_error_log
[error]



=== TEST 33: signatures in base64: what comes behind the end, spaces, lines, the other alphabet, bits left over
--- attack eval
my $b64 = ::b64(Digest::SHA::hmac_sha256('x', 'hush'));
my $other = substr($b64, 0, 42) . chr(ord(substr $b64, 42, 1) ^ 1) . '=';
[map { ::both('base64', '{"a":"x","sign":"' . $_ . '"}') }
    "${b64}EVIL", "$b64=EVIL", "$b64=", "$b64==", $b64 =~ s/=\z//r,
    " $b64", "$b64 ", "$b64\\n", "$b64\\u0000", $b64 =~ s/\A(.{20})/$1\\n/r,
    "$b64$b64", '=' x 4, '=' x 44, 'YWJj=EVIL', $other,
    $b64 =~ s/\A./\\u0100/r, $b64 =~ s/=/\\uff1d/r]
--- response_body eval
::refused(34, 401)
--- error_log
envelope: profile "base64" webhook webhook: sign sign: 



=== TEST 34: signatures: an empty one
--- attack eval
[map { ::both($_, '{"a":"x","sign":""}') } qw( hex base64 )]
--- response_body_like eval
qr/\A4 x 40[01] \{"type":"about:blank","title":"[^"]*","status":40[01]\}\napplication: 0\n\z/
--- error_log
webhook: sign sign: 



=== TEST 35: signatures in a header: missing, empty, twice
--- attack eval
my $good = 'X-Sign: ' . Digest::SHA::hmac_sha256_hex('{"a":1}', 'hush');
[map { my @h = @$_; map { ::post("/$_/header", '{"a":1}', @h) } qw( webhook serve ) }
    [], [$good, $good], [$good, 'X-Sign: 00'], ['X-Sign: 00', $good],
    [$good, 'x-sign:'], [$good =~ s/X-Sign/X-Signature/r]]
--- response_body eval
::refused(12, 400)
--- error_log
envelope: profile "header" webhook webhook: sign header:X-Sign: 



=== TEST 36: signatures in a header: another one, in quotes, a list, too long, cut
--- attack eval
my $hex = Digest::SHA::hmac_sha256_hex('{"a":1}', 'hush');
[map { my $v = $_; map { ::post("/$_/header", '{"a":1}', "X-Sign: $v") } qw( webhook serve ) }
    '0' x 64, qq("$hex"), "$hex,$hex", "$hex, 00", "00, $hex", "${hex}0",
    substr($hex, 1), "sha256=$hex", "$hex;", "\xc2\xa0$hex", "$hex $hex"]
--- response_body eval
::refused(22, 401)
--- error_log
envelope: profile "header" webhook webhook: sign header:X-Sign: 



=== TEST 37: signatures over the body: a byte of it changed, more of it, none of it
--- attack eval
my $good = 'X-Sign: ' . Digest::SHA::hmac_sha256_hex('{"a":1}', 'hush');
[map { my $body = $_; map { ::post("/$_/header", $body, $good) } qw( webhook serve ) }
    '{"a":2}', '{"a":1} ', ' {"a":1}', '{"a":1}' . "\0", '', '{"a":1', '[]']
--- response_body eval
::refused(14, 401)
--- error_log
envelope: profile "header" webhook webhook: sign header:X-Sign: the signature does not match



=== TEST 38: signatures in a parameter: another version only, one without a time, a time of its own
--- attack eval
my $v1 = Digest::SHA::hmac_sha256_hex('1.{"a":1}', 'hush');
my $try = sub { map { my $h = $_; map { ::post("/$_/version", '{"a":1}', "X-Sign: $h") } qw( webhook serve ) } @_ };
[$try->("t=1,v1=$v1", "t=1,v0=00,v1=$v1,v1=00"),
 $try->("t=2,v1=$v1", "t=1,v1=00", "t=1 ,v1=${v1}0", "t=1,v1=", "t=01,v1=$v1",
        "t=1,v1=00,v0=$v1")]
--- response_body_like eval
qr/\A4 x 200 \{"a":1\}\n(?:\d+ x 40[01] \{"type":"about:blank","title":"[^"]*","status":40[01]\}\n){1,2}application: 4\n\z/
--- error_log
envelope: profile "version" webhook webhook: sign header:X-Sign:v1: 



=== TEST 39: signatures in a parameter: no version of ours, no time, two times
--- attack eval
my $v1 = Digest::SHA::hmac_sha256_hex('1.{"a":1}', 'hush');
[map { my $h = $_; map { ::post("/$_/version", '{"a":1}', "X-Sign: $h") } qw( webhook serve ) }
    "t=1,v0=$v1", "t=1,v11=$v1", "v1=$v1", "t=1,t=2,v1=$v1", "t=2,t=1,v1=$v1", "t=1"]
--- response_body eval
::refused(12, 400)
--- error_log
envelope: profile "version" webhook webhook: 



=== TEST 40: the shape of the outer message: no JSON, no object, a member of another type: 400
--- attack eval
[map { ::both('gcm', $_) } '', ' ', '{', '[]', 'null', '"data"', '{}', '{"id":"1"}',
    '{"data":"00"}', '{"id":"1","data":null}', '{"id":"1","data":""}',
    '{"id":"1","data":1}', '{"id":"1","data":{}}', '{"id":"1","data":["00"]}',
    '{"id":"1","data":"00"} {}', '{"id":"1","data":"00",}', "{'id':'1','data':'00'}",
    "\xef\xbb\xbf" . '{"id":"1","data":"00"}', '{"id":"1","data":"' . "\xff" . '"}',
    '{"id":"1","data":"' . "\xc0\xb0" . '"}', '{"id":"1","data":"' . "\xed\xa0\x80" . '"}',
    "{\"id\":\"1\",\f\"data\":\"00\"}", 'data=00',
    "{\"id\":\"1\",\"data\":\"0\n0\"}", '{"id":"1","data":NaN}']
--- response_body eval
::refused(50, 400)
--- error_log
envelope: profile "gcm" webhook webhook: 



=== TEST 41: a string that is half of a surrogate pair is no text, and no stand-in for it is taken
--- attack eval
my $good = ::in_hex(::gcm('{"a":1}', '?'));
[(map { ::both('gcm', $good =~ s/"id":"1"/"id":"$_"/r) }
      '\ud800', '\udc00', '\ud800x', '\udc00\ud800'),
 ::both('gcm', ::in_hex(::gcm('{"a":1}')) =~ s/"data":"/"data":"\\ud800/r)]
--- response_body_like eval
qr/\A(?:\d+ x 40[01] \{"type":"about:blank","title":"[^"]*","status":40[01]\}\n){1,2}application: 0\n\z/
--- error_log
lone surrogate



=== TEST 42: what comes out of the encryption and is no JSON: 401, like the wrong key
--- attack eval
[::both('gcm', map { ::in_hex(::gcm($_)) } '', ' ', '{', '{"CANARY":1', '{"a":1}}',
    '{"a":01}', '{"a":1}' . "\0", "\xef\xbb\xbf{}", "{\"a\":\"\xff\"}",
    "\"\xed\xa0\x80\"", "\"\xf4\x90\x80\x80\"", "\"\xc1\x81\"", 'NaN', '[1,]',
    "[\f1]", '"' . "\n" . '"', '1 2', "'a'", '{"a" 1}', 'nul', '+1', '.5', '1.', '0x1'),
 ::both('gcm', ::in_hex(::gcm('{}', '9')))]
--- response_body eval
::refused(50, 401)
--- error_log
envelope: profile "gcm" webhook webhook: field data: 



=== TEST 43: depth: 128 levels pass, 129 do not, nor do a million: outside 400, inside 401
--- attack eval
my $deep = sub { '[' x $_[0] . ']' x $_[0] };
my $good = ::in_hex(::gcm('1'));
[(map { ::both('gcm', $good =~ s/\A\{/'{"x":' . $deep->($_) . ','/er) } 128, 500000),
 ::both('gcm', map { ::in_hex(::gcm($deep->($_))) } 129, 500000)]
--- response_body eval
qq(4 x 400 ) . ::bad_request() . "\n4 x 401 " . ::unauthorized() . "\napplication: 0\n"
--- error_log
128



=== TEST 44: depth: 128 levels
--- attack eval
my $deep = sub { '[' x $_[0] . ']' x $_[0] };
[::both('param', ::param($deep->(128))), ::both('param', ::param($deep->(129)))]
--- response_body eval
'2 x 200 ' . '[' x 128 . ']' x 128 . "\n2 x 401 " . ::unauthorized()
. "\napplication: 2\n"
--- error_log
envelope: profile "param" webhook webhook: 



=== TEST 45: size: a hundred thousand members, a number and a string of a megabyte: opened, to the byte
--- attack eval
my $members = CORE::join ',', map { qq("m$_":$_) } 1 .. 100000;
my $good = ::signed(\&::hex_of);
[map { ::post('/webhook/hex', $good =~ s/\}\z/,$_}/r) } $members,
    '"n":' . '7' x 1000000, '"s":"' . 'x' x 1000000 . '"']
--- response_body_filters eval
sub { $_[0] =~ s/^(\d+ x \d+ \{"a":"x",.{8}).*/$1/gmr }
--- response_body eval
qq(1 x 200 {"a":"x","m1":1,"\n1 x 200 {"a":"x","n":7777\n1 x 200 {"a":"x","s":"xxx\napplication: 3\n)
--- no_error_log
[error]



=== TEST 46: ways around: every method, no or another Content-Type: plain text is never taken for a message
--- attack eval
my $plain = '{"amount":1}';
[(map { ::post('/webhook/param', $plain) =~ s/\APOST/$_/r }
      qw( POST PUT PATCH DELETE GET )),
 (map { ::post('/webhook/param', $plain) =~ s{application/json}{$_}r }
      'text/plain', 'application/x-www-form-urlencoded', 'application/octet-stream',
      'multipart/form-data; boundary=x'),
 ::post('/webhook/param', $plain) =~ s/Content-Type.*\r\n//r,
 "GET /webhook/param HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n",
 "POST /webhook/param HTTP/1.1\r\nHost: a\r\nConnection: close\r\nTransfer-Encoding: chunked\r\n\r\nc\r\n$plain\r\n0\r\n\r\n"]
--- response_body eval
::refused(12, 400)
--- error_log
envelope: profile "param" webhook webhook: 



=== TEST 47: ways around: sealed messages are opened with every method and Content-Type, however they are sent
--- attack eval
my $wire = ::param('{"amount":1}');
my $length = sprintf '%x', length $wire;
[(map { ::post('/webhook/param', $wire) =~ s/\APOST/$_/r }
      qw( POST PUT PATCH DELETE GET )),
 ::post('/webhook/param', $wire) =~ s/Content-Type.*\r\n//r,
 ::post('/webhook/param', $wire, 'Transfer-Encoding: identity') =~ s/Transfer.*\r\n//r,
 "POST /webhook/param HTTP/1.1\r\nHost: a\r\nConnection: close\r\nTransfer-Encoding: chunked\r\n\r\n$length\r\n$wire\r\n0\r\n\r\n"]
--- response_body eval
qq(8 x 200 {"amount":1}\napplication: 8\n)
--- no_error_log
[error]



=== TEST 48: signed inside: the signature is over what comes out, which is refused as one: decoding, JSON, MAC
--- attack eval
my $sign = Digest::SHA::hmac_sha256_hex('{"a":1}', 'hush');
[::both('inner', map { qq({"data":"$_->[0]","sign":"$_->[1]"}) }
    [::b64('{"a":2}'), $sign], [::b64('{"a":1} '), '00' x 32], ['e30', $sign],
    [::b64('CANARY'), Digest::SHA::hmac_sha256_hex('CANARY', 'hush')],
    [::b64('{"a":1}'), "${sign}0"], [::b64('{"a":1}'), "$sign "])]
--- response_body eval
::refused(12, 401)
--- error_log
envelope: profile "inner" webhook webhook: 

# Keys and secrets: every form that they may have, every place that they may
# come from, and what is said of those that are no good.

use Test::Nginx::Socket;
use Digest::SHA ();
use File::Temp ();
use MIME::Base64 ();

our $keys = File::Temp::tempdir(CLEANUP => 1);

$ENV{TEST_NGINX_KEYS} = $keys;

sub slurp {
    open my $in, '<:raw', "$keys/$_[0]" or die "$_[0]: $!";
    local $/;
    return scalar <$in>;
}

sub spew {
    my ($name, $content) = @_;
    open my $out, '>:raw', "$keys/$name" or die "$name: $!";
    print $out $content;
    close $out or die "$name: $!";
}

sub openssl {
    my $out = `cd $keys && openssl $_[0] 2>&1`;
    die "openssl $_[0]: $out" if $?;
}

my $rsa = 'genpkey -algorithm RSA -pkeyopt rsa_keygen_bits';
my $ec = 'genpkey -algorithm EC -pkeyopt ec_paramgen_curve';
my $aes = '-passout pass:hunter2 -aes-256-cbc';
my $p12 = 'pkcs12 -export -inkey rsa.pem -in cert.pem';

openssl("$rsa:2048 -out rsa.pem");
openssl("$rsa:2048 -out other.pem");
openssl("$rsa:512 -out short.pem");
openssl("$ec:P-256 -out ec.pem");
openssl("$ec:P-384 -out ec384.pem");
openssl('genpkey -algorithm ED25519 -out ed.pem');
openssl('genpkey -algorithm X25519 -out x25519.pem');

openssl('rsa -in rsa.pem -traditional -out rsa1.pem');
openssl('pkcs8 -topk8 -nocrypt -in rsa.pem -outform DER -out rsa.der');
openssl('rsa -in rsa.pem -traditional -outform DER -out rsa1.der');
openssl("pkcs8 -topk8 -passout pass:hunter2 -in rsa.pem -out enc.pem");
openssl("pkcs8 -topk8 -passout pass:hunter2 -in rsa.pem -outform DER"
        . " -out enc.der");
openssl("rsa -in rsa.pem -traditional $aes -out enc1.pem");

openssl('req -x509 -key rsa.pem -subj /CN=a -days 30 -out cert.pem');
openssl('x509 -in cert.pem -outform DER -out cert.der');
openssl("$p12 -passout pass:hunter2 -out rsa.p12");
openssl("$p12 -passout pass: -out open.p12");

openssl('pkey -in rsa.pem -pubout -out pub.pem');
openssl('pkey -in rsa.pem -pubout -outform DER -out pub.der');
openssl('rsa -in rsa.pem -RSAPublicKey_out -out pub1.pem');
openssl('rsa -in rsa.pem -RSAPublicKey_out -outform DER -out pub1.der');
openssl('pkey -in other.pem -pubout -out other.pub');
openssl('pkey -in ec.pem -pubout -out ec.pub');
openssl('pkey -in ed.pem -pubout -out ed.pub');

spew('bundle.pem', slurp('rsa.pem') . slurp('cert.pem'));
spew('mixed.pem', slurp('cert.pem') . slurp('rsa.pem'));
spew('text.pem', "Bag Attributes\n    friendlyName: x\n" . slurp('rsa.pem'));
spew('crlf.pem', slurp('rsa.pem') =~ s/\n/\r\n/gr);
spew('two.pem', slurp('rsa.pem') . slurp('other.pem'));

spew('rsa.b64', MIME::Base64::encode(slurp('rsa.der'), ''));
spew('rsa.b64n', MIME::Base64::encode(slurp('rsa.der'), "\n"));
spew('pub.b64', MIME::Base64::encode(slurp('pub.der'), '') . "\n");

spew('cut.pem', substr(slurp('rsa.pem'), 0, 800));
spew('junk', "not a key\n");
spew('empty', '');
spew('large', 'A' x 65537);
spew('most', 's' x 65536);

spew('password', "hunter2\n");
spew('password.crlf', "hunter2\r\nsecond line\r\n");
spew('wrong', "*******\n");

spew('text', "hello\n");
spew('text.crlf', "hello\r\n");
spew('text.two', "hello\n\n");
spew('base64', "aGVsbG8=\n");
spew('hex', "68656C6c6f\r\n");
spew('secret.4096', 's' x 4096);
spew('secret.4097', 's' x 4097);

chmod 0600, grep { !/(?:pub|cert)/ } glob("$keys/*");
chmod 0644, "$keys/pub.pem", "$keys/cert.pem";

for my $name (qw( rsa.pem rsa.p12 text password )) {
    spew("open.$name", slurp($name));
    chmod 0644, "$keys/open.$name";
}

our $key64 = slurp('rsa.b64');
our $pub64 = MIME::Base64::encode(slurp('pub.der'), '');
our $pem = slurp('rsa.pem');

$ENV{ENVELOPE_TEST_KEY} = $pem;
$ENV{ENVELOPE_TEST_PUB} = $pub64;
$ENV{ENVELOPE_TEST_SECRET} = 'hello';
$ENV{ENVELOPE_TEST_BASE64} = 'aGVsbG8=';
$ENV{ENVELOPE_TEST_EMPTY} = '';

# For each of "SOURCE .." a profile and a location: that signs with it, if it
# is private, or verifies.

sub key_profiles {
    my ($role, $alg, @sources) = @_;

    my $message = $role eq 'call' ? 'request' : 'webhook';
    my ($n, $conf, $locations) = (0, '', '');

    for my $source (@sources) {
        $n++;
        $conf .= <<"EOC";
    envelope_profile p$n {
        key k $source;
        $message { sign sign = $alg key=k over=<a> | base64; }
    }
EOC
        $locations .= "location /p$n { envelope_$role p$n; }\n";
    }

    return "$conf\n server {\n listen 127.0.0.1:\$TEST_NGINX_RAND_PORT_9;\n"
           . "$locations }\n";
}

# For each of "SOURCE ENCODING" a profile and a location whose answer is the
# digest of the secret, as the upstream has got it.

sub secret_profiles {
    my ($n, $conf, $locations) = (0, '', '');

    for my $source (@_) {
        $n++;
        $conf .= <<"EOC";
    envelope_profile s$n {
        secret k $source;
        request { sign header:X-Sign = sha256 over=<secret:k> | hex; }
    }
EOC
        $locations .= <<"EOC";
        location /s$n {
            envelope_call s$n;
            proxy_pass http://127.0.0.1:\$TEST_NGINX_RAND_PORT_9/;
        }
EOC
    }

    return <<"EOC";
$conf
    server {
        listen 127.0.0.1:\$TEST_NGINX_RAND_PORT_9;
        location / {
            return 200 \$http_x_sign;
        }
    }

    server {
        listen 127.0.0.1:\$TEST_NGINX_RAND_PORT_8;
$locations
    }
EOC
}

sub digests {
    return [ map { Digest::SHA::sha256_hex($_) } @_ ];
}

no_long_string();

add_block_preprocessor(sub {
    my $block = shift;

    $block->set_value('http_config', "    include ../html/vm.conf;\n")
        if !defined $block->http_config;

    $block->set_value('config', defined $block->passes
        ? "    location /s {\n        proxy_pass "
          . "http://127.0.0.1:\$TEST_NGINX_RAND_PORT_8;\n    }\n"
        : "    location /t {\n        return 200 ok;\n    }\n");

    if (!defined $block->must_die && !defined $block->passes) {
        $block->set_value('request', 'GET /t');
        $block->set_value('response_body', 'ok');
    }

    $block->set_value('suppress_stderr', '1')
        if defined $block->must_die;

    # nothing that could be a piece of a key or of a secret
    my $quiet = $block->no_error_log;
    $block->set_value('no_error_log',
                      [$quiet ? split(/\n/, $quiet) : (), 'hunter2',
                       substr($::key64, 40, 20), 'CANARY', 'Y0FOQVJZ']);
});

plan tests => repeat_each() * 555;

run_tests();

__DATA__

=== TEST 1: private keys: PEM (PKCS#8, PKCS#1, with text, with CR LF, with a certificate), DER, bare base64
--- http_config eval
::key_profiles('call', 'rs256', map { "$::keys/$_" }
    qw( rsa.pem rsa1.pem text.pem crlf.pem bundle.pem mixed.pem
        rsa.der rsa1.der rsa.b64 rsa.b64n ))
--- no_error_log
[warn]
[error]



=== TEST 2: private keys under a password: PEM (PKCS#8, PKCS#1), DER, PKCS#12
--- http_config eval
::key_profiles('call', 'ps256',
    (map { "$::keys/$_ password=$::keys/password" }
         qw( enc.pem enc1.pem enc.der rsa.p12 )),
    "$::keys/enc.pem password=$::keys/password.crlf",
    "$::keys/rsa.p12 password=$::keys/password id=2",
    "$::keys/rsa.p12 id=2 password=$::keys/password",
    "$::keys/rsa.pem password=$::keys/password",
    "$::keys/open.p12")
--- no_error_log
[warn]
[error]



=== TEST 3: public keys: PEM, PKCS#1, certificate, DER of each, bare base64
--- http_config eval
::key_profiles('webhook', 'rs256', map { "$::keys/$_" }
    qw( pub.pem pub1.pem cert.pem pub.der pub1.der cert.der pub.b64 ))
--- no_error_log
[warn]
[error]



=== TEST 4: a private key verifies as well
--- http_config eval
::key_profiles('webhook', 'rs256', "$::keys/rsa.pem", "$::keys/rsa.p12"
                                   . " password=$::keys/password")
--- no_error_log
[warn]
[error]



=== TEST 5: other kinds of keys: P-256, P-384, Ed25519
--- http_config eval
::key_profiles('call', 'es256', "$::keys/ec.pem")
--- no_error_log
[warn]
[error]



=== TEST 6: P-384
--- http_config eval
::key_profiles('call', 'es384', "$::keys/ec384.pem")
--- no_error_log
[warn]
[error]



=== TEST 7: Ed25519
--- http_config eval
::key_profiles('call', 'eddsa', "$::keys/ed.pem")
--- no_error_log
[warn]
[error]



=== TEST 8: data: bare base64, and PEM
--- http_config eval
::key_profiles('call', 'rs256', "data:$::key64", "'data:$::pem'",
               "data:$::key64 id=1")
--- no_error_log
[warn]
[error]



=== TEST 9: env:
--- http_config eval
::key_profiles('call', 'rs256', "env:ENVELOPE_TEST_KEY")
--- no_error_log
[warn]
[error]



=== TEST 10: store:
--- http_config eval
::key_profiles('call', 'rs256', "store:file:$::keys/rsa.pem",
               "store:file:$::keys/rsa.der", "store:$::keys/rsa.pem",
               "store:file:$::keys/enc.pem password=$::keys/password",
               "store:file:$::keys/rsa.p12 password=$::keys/password")
--- no_error_log
[warn]
[error]



=== TEST 11: files are named relative to the configuration
--- user_files eval
">>> pub.b64
$::pub64
>>> vm.conf
envelope_profile vm {
    key k ../html/pub.b64;
    webhook { sign sign = rs256 key=k over=<a> | base64; }
}
envelope_webhook vm;
"
--- no_error_log
[warn]
[error]



=== TEST 12: key rings, with ids and without
--- http_config
    envelope_profile vm {
        key k $TEST_NGINX_KEYS/pub.pem id=a;
        key k $TEST_NGINX_KEYS/other.pub id=b;
        key k $TEST_NGINX_KEYS/pub.pem;
        key k $TEST_NGINX_KEYS/cert.pem;
        key kk $TEST_NGINX_KEYS/pub.pem id=a;
        secret s data:one text id=a;
        secret s data:two text id=b;
        secret s data:three text;
        webhook {
            sign sign = rs256 key=k over=<a> | base64;
            sign mac = hs256 key=s over=<a> | hex;
        }
    }
    envelope_webhook vm;
--- no_error_log
[warn]
[error]



=== TEST 13: a file that is not there
--- http_config
    envelope_profile vm {
        key platform missing/key.pem;
    }
--- must_die
--- error_log eval
["[emerg]", qr{envelope_profile "vm": key "platform": open\(\) "\S+/conf/missing/key\.pem" failed \(2: No such file or directory\) in \S+/nginx\.conf:\d+$}]



=== TEST 14: a directory
--- http_config
    envelope_profile vm {
        key platform $TEST_NGINX_KEYS;
    }
--- must_die
--- error_log eval
["[emerg]", qr{key "platform": read\(\) "\Q$::keys\E" failed \(21: Is a directory\) in}]



=== TEST 15: an empty file
--- http_config
    envelope_profile vm {
        key platform $TEST_NGINX_KEYS/empty;
    }
--- must_die
--- error_log eval
["[emerg]", qq{envelope_profile "vm": key "platform": "$::keys/empty" is empty in}]



=== TEST 16: a file that is too large
--- http_config
    envelope_profile vm {
        key platform $TEST_NGINX_KEYS/large;
    }
--- must_die
--- error_log eval
["[emerg]", qq{envelope_profile "vm": key "platform": "$::keys/large" is longer than 65536 bytes in}]



=== TEST 17: a file without end
--- http_config
    envelope_profile vm {
        key platform /dev/zero;
    }
--- must_die
--- error_log
[emerg]
envelope_profile "vm": key "platform": "/dev/zero" is longer than 65536 bytes in



=== TEST 18: a file that holds no key
--- http_config
    envelope_profile vm {
        key platform $TEST_NGINX_KEYS/junk;
    }
--- must_die
--- error_log eval
["[emerg]", qq{envelope_profile "vm": key "platform": $::keys/junk: }]



=== TEST 19: half a key
--- http_config
    envelope_profile vm {
        key platform $TEST_NGINX_KEYS/cut.pem;
    }
--- must_die
--- error_log eval
["[emerg]", qq{envelope_profile "vm": key "platform": $::keys/cut.pem: }]



=== TEST 20: two private keys in one file
--- http_config
    envelope_profile vm {
        key platform $TEST_NGINX_KEYS/two.pem;
    }
--- must_die
--- error_log eval
["[emerg]", qq{envelope_profile "vm": key "platform": $::keys/two.pem: }]



=== TEST 21: an RSA key that is too short
--- http_config
    envelope_profile vm {
        key platform $TEST_NGINX_KEYS/short.pem;
    }
--- must_die
--- error_log eval
["[emerg]", qq{envelope_profile "vm": key "platform": $::keys/short.pem: an RSA key of 512 bits is not taken, 1024 to 16384 are in}]



=== TEST 22: a key of no use
--- http_config
    envelope_profile vm {
        key platform $TEST_NGINX_KEYS/x25519.pem;
    }
--- must_die
--- error_log eval
["[emerg]", qq{envelope_profile "vm": key "platform": $::keys/x25519.pem: a key of type X25519 is of no use here, RSA, EC or EdDSA is in}]



=== TEST 23: an encrypted key without its password
--- http_config
    envelope_profile vm {
        key merchant $TEST_NGINX_KEYS/enc.pem;
    }
--- must_die
--- error_log eval
["[emerg]", qr{envelope_profile "vm": key "merchant": \Q$::keys\E/enc\.pem: .*password}]



=== TEST 24: an encrypted key with a wrong password
--- http_config
    envelope_profile vm {
        key merchant $TEST_NGINX_KEYS/enc.pem password=$TEST_NGINX_KEYS/wrong;
    }
--- must_die
--- error_log eval
["[emerg]", qr{envelope_profile "vm": key "merchant": \Q$::keys\E/enc\.pem: .*password}]
--- no_error_log
*******



=== TEST 25: PKCS#12 without its password
--- http_config
    envelope_profile vm {
        key merchant $TEST_NGINX_KEYS/rsa.p12;
    }
--- must_die
--- error_log eval
["[emerg]", qr{envelope_profile "vm": key "merchant": \Q$::keys\E/rsa\.p12: .*password}]



=== TEST 26: a password file that is not there
--- http_config
    envelope_profile vm {
        key merchant $TEST_NGINX_KEYS/enc.pem password=missing;
    }
--- must_die
--- error_log eval
["[emerg]", qr{envelope_profile "vm": key "merchant": open\(\) "\S+/conf/missing" failed \(2: No such file or directory\) in}]



=== TEST 27: a password file that is empty
--- http_config
    envelope_profile vm {
        key merchant $TEST_NGINX_KEYS/enc.pem password=$TEST_NGINX_KEYS/empty;
    }
--- must_die
--- error_log eval
["[emerg]", qq{envelope_profile "vm": key "merchant": "$::keys/empty" is empty in}]



=== TEST 28: a password in the place of its file (is not repeated)
--- http_config
    envelope_profile vm {
        key merchant $TEST_NGINX_KEYS/enc.pem pasword=hunter2;
    }
--- must_die
--- error_log
[emerg]
envelope_profile "vm": key "merchant": unknown parameter "pasword=", "id=KID" and "password=FILE" are allowed in



=== TEST 29: a parameter without a name (is not repeated)
--- http_config
    envelope_profile vm {
        key merchant $TEST_NGINX_KEYS/enc.pem hunter2;
    }
--- must_die
--- error_log
[emerg]
envelope_profile "vm": key "merchant": unknown parameter, "id=KID" and "password=FILE" are allowed in



=== TEST 30: a parameter twice
--- http_config
    envelope_profile vm {
        key platform $TEST_NGINX_KEYS/pub.pem id=a id=b;
    }
--- must_die
--- error_log
[emerg]
envelope_profile "vm": key "platform": duplicate parameter "id=" in



=== TEST 31: a parameter without a value
--- http_config
    envelope_profile vm {
        key platform $TEST_NGINX_KEYS/pub.pem id=;
    }
--- must_die
--- error_log
[emerg]
envelope_profile "vm": key "platform": parameter "id=" is empty in



=== TEST 32: a key without a source
--- http_config
    envelope_profile vm {
        key platform;
    }
--- must_die
--- error_log
[emerg]
invalid number of arguments in "key" directive in



=== TEST 33: the same id twice
--- http_config
    envelope_profile vm {
        key platform $TEST_NGINX_KEYS/pub.pem id=a;
        key platform $TEST_NGINX_KEYS/other.pub id=a;
    }
--- must_die
--- error_log
[emerg]
envelope_profile "vm": key "platform": key "platform" has id "a" already in



=== TEST 34: more keys of one name than a ring holds
--- http_config eval
"envelope_profile vm {\n" . "key k $::keys/pub.pem;\n" x 17 . "}\n"
--- must_die
--- error_log
[emerg]
envelope_profile "vm": key "k": "k" has 16 keys already in



=== TEST 35: a key and a secret of one name
--- http_config
    envelope_profile vm {
        secret k data:CANARY text;
        key k $TEST_NGINX_KEYS/pub.pem;
    }
--- must_die
--- error_log
[emerg]
envelope_profile "vm": key "k": "k" is the name of a secret already in



=== TEST 36: a secret and a key of one name
--- http_config
    envelope_profile vm {
        key k $TEST_NGINX_KEYS/pub.pem;
        secret k data:CANARY text;
    }
--- must_die
--- error_log
[emerg]
envelope_profile "vm": secret "k": "k" is the name of a key already in



=== TEST 37: an environment variable that is not set
--- http_config
    envelope_profile vm {
        key platform env:ENVELOPE_TEST_NONE;
    }
--- must_die
--- error_log
[emerg]
envelope_profile "vm": key "platform": environment variable "ENVELOPE_TEST_NONE" is not set in



=== TEST 38: an environment variable that is empty
--- http_config
    envelope_profile vm {
        secret app env:ENVELOPE_TEST_EMPTY text;
    }
--- must_die
--- error_log
[emerg]
envelope_profile "vm": secret "app": environment variable "ENVELOPE_TEST_EMPTY" is empty in



=== TEST 39: an environment variable without a name
--- http_config
    envelope_profile vm {
        secret app env: text;
    }
--- must_die
--- error_log
[emerg]
envelope_profile "vm": secret "app": environment variable "" is not set in



=== TEST 40: an environment variable that holds no key
--- http_config
    envelope_profile vm {
        key platform env:ENVELOPE_TEST_SECRET;
    }
--- must_die
--- error_log
[emerg]
envelope_profile "vm": key "platform": env:ENVELOPE_TEST_SECRET: 
--- no_error_log
hello



=== TEST 41: data: of nothing
--- http_config
    envelope_profile vm {
        key platform data:;
    }
--- must_die
--- error_log
[emerg]
envelope_profile "vm": key "platform": nothing follows "data:" in



=== TEST 42: data: that is no key
--- http_config
    envelope_profile vm {
        key platform data:CANARY;
    }
--- must_die
--- error_log
[emerg]
envelope_profile "vm": key "platform": data:: 



=== TEST 43: a store that is not there (its URI may hold a PIN)
--- http_config
    envelope_profile vm {
        key platform "store:pkcs11:token=t;pin-value=CANARY";
    }
--- must_die
--- error_log
[emerg]
envelope_profile "vm": key "platform": store:: OpenSSL cannot open this store: 



=== TEST 44: secrets are in no store
--- http_config
    envelope_profile vm {
        secret app store:file:CANARY text;
    }
--- must_die
--- error_log
[emerg]
envelope_profile "vm": secret "app": "store:" is for keys only in



=== TEST 45: a secret without an encoding
--- http_config
    envelope_profile vm {
        secret app data:CANARY;
    }
--- must_die
--- error_log
[emerg]
invalid number of arguments in "secret" directive in



=== TEST 46: an unknown encoding (may be a secret in the wrong place)
--- http_config
    envelope_profile vm {
        secret app data:utf8 CANARY;
    }
--- must_die
--- error_log
[emerg]
envelope_profile "vm": secret "app": unknown encoding, use text, base64, hex or raw in



=== TEST 47: a parameter that secrets do not have
--- http_config
    envelope_profile vm {
        secret app data:CANARY text password=CANARY;
    }
--- must_die
--- error_log
[emerg]
envelope_profile "vm": secret "app": unknown parameter "password=", only "id=KID" is allowed in



=== TEST 48: base64 that is none
--- http_config
    envelope_profile vm {
        secret app data:CANARY base64;
    }
--- must_die
--- error_log
[emerg]
envelope_profile "vm": secret "app": 



=== TEST 49: base64 with a line break inside
--- http_config
    envelope_profile vm {
        secret app $TEST_NGINX_KEYS/rsa.b64n base64;
    }
--- must_die
--- error_log
[emerg]
envelope_profile "vm": secret "app": 



=== TEST 50: hex that is none
--- http_config
    envelope_profile vm {
        secret app data:CANARY hex;
    }
--- must_die
--- error_log
[emerg]
envelope_profile "vm": secret "app": 



=== TEST 51: a secret that is too long
--- http_config
    envelope_profile vm {
        secret app $TEST_NGINX_KEYS/secret.4096 text;
        secret app $TEST_NGINX_KEYS/secret.4097 text;
    }
--- must_die
--- error_log
[emerg]
envelope_profile "vm": secret "app": secret "app" is longer than 4096 bytes in



=== TEST 52: a private key that all can read (warned of)
--- http_config eval
::key_profiles('call', 'rs256', "$::keys/open.rsa.pem")
--- error_log eval
["[warn]", qr{private key file "\Q$::keys\E/open\.rsa\.pem" is readable by others in \S+/nginx\.conf:\d+}]



=== TEST 53: so is PKCS#12, and a password
--- http_config eval
::key_profiles('call', 'rs256',
               "$::keys/open.rsa.p12 password=$::keys/open.password")
--- error_log eval
["[warn]", qq{private key file "$::keys/open.rsa.p12" is readable by others in},
 qq{password file "$::keys/open.password" is readable by others in}]



=== TEST 54: so is a secret
--- http_config eval
::secret_profiles("$::keys/open.text text")
--- error_log eval
["[warn]", qq{secret file "$::keys/open.text" is readable by others in}]



=== TEST 55: secrets are what their encoding says
--- http_config eval
::secret_profiles(
    "data:hello text", "data:hello raw", "data:aGVsbG8= base64",
    "data:68656C6c6f hex", "env:ENVELOPE_TEST_SECRET text",
    "env:ENVELOPE_TEST_BASE64 base64",
    (map { "$::keys/$_ text" } qw( text text.crlf text.two )),
    (map { "$::keys/$_ raw" } qw( text text.crlf )),
    "$::keys/base64 base64", "$::keys/hex hex",
    "$::keys/secret.4096 raw", "data:hello text id=x",
    "'data:a b' text")
--- passes
--- request eval
[map { "GET /s$_" } 1 .. 16]
--- response_body eval
::digests(("hello") x 6, "hello", "hello", "hello\n", "hello\n", "hello\r\n",
          "hello", "hello", "s" x 4096, "hello", "a b")
--- no_error_log
[warn]
[error]



=== TEST 56: one variable of the environment for two secrets (decoding leaves it as it is)
--- http_config eval
::secret_profiles("env:ENVELOPE_TEST_BASE64 base64",
                  "env:ENVELOPE_TEST_BASE64 text",
                  "env:ENVELOPE_TEST_BASE64 base64")
--- passes
--- request eval
["GET /s1", "GET /s2", "GET /s3"]
--- response_body eval
::digests("hello", "aGVsbG8=", "hello")
--- no_error_log
[warn]
[error]



=== TEST 57: the same id twice, of a secret
--- http_config
    envelope_profile vm {
        secret app data:CANARY1 text id=a;
        secret app data:CANARY2 text id=a;
    }
--- must_die
--- error_log
[emerg]
envelope_profile "vm": secret "app": secret "app" has id "a" already in

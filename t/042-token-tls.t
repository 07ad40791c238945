# Tokens over TLS: the peer is verified, by the authorities that are asked
# for, and a proxy is used where one is named.

use Test::Nginx::Socket;
use File::Temp 'tempdir';

no_long_string();
no_root_location();
log_level('info');

our $dir;

BEGIN {
    $dir = tempdir(CLEANUP => 1);
    chmod 0755, $dir;

    for (['one', 'IP:127.0.0.1'], ['two', 'DNS:other.example']) {
        my ($name, $for) = @$_;
        system("openssl req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=$name"
               . " -addext subjectAltName=$for -keyout $dir/$name.key"
               . " -out $dir/$name.pem 2>/dev/null") == 0 or die "openssl";
    }
}

add_block_preprocessor(sub {
    my $block = shift;

    my $token = $block->token =~ s/DIR/$dir/gr;

    $block->set_value('http_config', <<"EOC");
    server {
        listen 127.0.0.1:\$TEST_NGINX_RAND_PORT_1 ssl;
        ssl_certificate $dir/one.pem;
        ssl_certificate_key $dir/one.key;
        return 200 '{"token":"one"}';
    }

    server {
        listen 127.0.0.1:\$TEST_NGINX_RAND_PORT_2 ssl;
        ssl_certificate $dir/two.pem;
        ssl_certificate_key $dir/two.key;
        return 200 '{"token":"two"}';
    }

    envelope_profile vm {
        token {
            $token
            value /token;
            lifetime 1h;
        }
    }
EOC

    $block->set_value('config', <<'EOC');
    location /call {
        envelope_call vm;
        proxy_pass http://127.0.0.1:$TEST_NGINX_SERVER_PORT/api;
    }

    location /api {
        return 200 "$http_authorization\n";
    }

    location / {
        return 200 '{"token":"proxy for $host"}';
    }
EOC

    $block->set_value('request', 'GET /call');
});

plan tests => repeat_each() * 13;

run_tests();

__DATA__

=== TEST 1: ca
--- token
url https://127.0.0.1:$TEST_NGINX_RAND_PORT_1/;
ca DIR/one.pem;
--- response_body
Bearer one
--- no_error_log
[error]



=== TEST 2: the system's store does not know it
--- token
url https://127.0.0.1:$TEST_NGINX_RAND_PORT_1/;
--- error_code: 503
--- response_body_like: "detail":"request: no token: SSL certificate problem: self-signed certificate"
--- error_log
envelope: profile "vm" token cannot be fetched: SSL certificate problem



=== TEST 3: another authority
--- token
url https://127.0.0.1:$TEST_NGINX_RAND_PORT_1/;
ca DIR/two.pem;
--- error_code: 503
--- response_body_like: no token: SSL certificate problem



=== TEST 4: a certificate for another name
--- token
url https://127.0.0.1:$TEST_NGINX_RAND_PORT_2/;
ca DIR/two.pem;
--- error_code: 503
--- response_body_like: no token: SSL: no alternative certificate subject name matches



=== TEST 5: a proxy
--- token
url http://tokens.example/;
proxy http://127.0.0.1:$TEST_NGINX_SERVER_PORT;
--- response_body
Bearer proxy for tokens.example
--- no_error_log
[error]

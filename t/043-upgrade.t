# Binary upgrades: the new nginx, the old one, and what they share, driven by
# t/peers/upgrade-drive.py.

# the new binary is executed by the name that the old one has, without a PATH

BEGIN {
    my $binary = $ENV{TEST_NGINX_BINARY} || 'nginx';

    if ($binary !~ m{/}) {
        ($ENV{TEST_NGINX_BINARY}) = grep { -x } map { "$_/$binary" }
                                    split /:/, $ENV{PATH};
    }
}

use Test::Nginx::Socket;
use Envelope::Tokens;

token_suite(driver => 'upgrade-drive.py');

# nginx would execute the new binary without valgrind, and by valgrind's name
# no process is found

plan(skip_all => 'no upgrades under valgrind') if $ENV{TEST_NGINX_USE_VALGRIND};

plan tests => repeat_each() * (2 * blocks());

run_tests();

__DATA__

=== TEST 1: the token is kept, and renewed
--- drive: keep
--- token
expires_in /data/expired_time;
header X-Version one;



=== TEST 2: both binaries serve, old tokens are invalid at once
--- drive: both
--- token
expires_in /data/expired_time;



=== TEST 3: the token's configuration is another
--- drive: changed
--- token
header X-Version one;



=== TEST 4: the new binary is reloaded with others, the old one serves on
--- drive: slots
--- token
header X-Version one;



=== TEST 5: back to the old binary
--- drive: rollback



=== TEST 6: the old binary is killed
--- drive: killed



=== TEST 7: the zone is another
--- drive: size
--- main: envelope_zone envelope:1m;



=== TEST 8: the zone is not fit to be taken over
--- drive: damaged



=== TEST 9: descriptors, reloads, nginx -t
--- drive: descriptors



=== TEST 10: core files
--- drive: hidden



=== TEST 11: what has come once has come once
--- drive: marks
--- main
    envelope_profile hook {
        secret hook data:h00k text;

        webhook {
            sign mac = hs256 key=hook over=<id> | hex;
            once id within=1h;
        }
    }
--- locations
    location /hook {
        envelope_webhook hook;
        proxy_pass http://127.0.0.1:$TEST_NGINX_SERVER_PORT/plain;
        add_header X-Pid $pid always;
    }

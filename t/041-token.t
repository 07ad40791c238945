# Tokens against a real endpoint, t/peers/tokens.py, driven by
# t/peers/tokens-drive.py: both workers, renewals, failures, a killed worker.

use Test::Nginx::Socket;
use FindBin;

master_on();
workers(2);
worker_connections(4096);
log_level('info');
no_long_string();
no_shuffle();

plan tests => repeat_each() * (2 * blocks());

our ($peer, $tokens, $api, @held);

BEGIN {
    use FindBin;

    pipe(my $child_in, my $keep) or die;
    my $pid = open($peer, '-|') // die "fork: $!";

    if ($pid == 0) {
        close $keep;
        open(STDIN, '<&', $child_in) or die;
        exec 'python3', "$FindBin::Bin/peers/tokens.py";
        die "exec: $!";
    }

    close $child_in;
    push @held, $keep;          # closed with us, and the peer ends

    (my $line = <$peer>) =~ /^listening on (\d+) (\d+)/ or die "no tokens.py";
    ($tokens, $api) = ($1, $2);
}

add_block_preprocessor(sub {
    my $block = shift;

    my ($name) = $block->drive =~ /^(\w+)/;
    my $token = $block->token // '';
    $token = "expires_at /data/expired_time;\n$token"
        if $token !~ /^\s*(expires|lifetime)/m;

    $block->set_value('http_config', <<"EOC");
    map "" \$id { default app-1; }

    log_format token "[\$envelope_token] \$status";
    access_log logs/token.log token;

    envelope_profile $name {
        secret app data:s3cr3t text;

        request { set header:X-Format one; }

        token {
            url http://127.0.0.1:$tokens/getAccessToken?app_id=\$id&app_secret=<secret:app>;
            value /data/token;
            $token
        }
    }
EOC

    $block->set_value('config', <<"EOC");
    location /call/ {
        envelope_call $name;
        proxy_pass http://127.0.0.1:$api/api/;
        proxy_http_version 1.1;
        add_header X-Pid \$pid always;
    }

    location /plain {
        return 200 "plain\\n";
    }
EOC

    $block->set_value('request', 'GET /plain');
});

add_response_body_check(sub {
    my ($block) = @_;

    my $root = html_dir() =~ s{/html$}{}r;
    my $port = server_port_for_client();
    my $scenario = $block->drive;
    chomp $scenario;

    my $out = `python3 $FindBin::Bin/peers/tokens-drive.py $port $api $root '$scenario' 2>&1`;

    Test::More::diag($out) if $ENV{TEST_TOKEN_VERBOSE} || $out !~ /^ok$/m;
    Test::More::ok($out =~ /^ok$/m, $block->name . ' - driven');
});

run_tests();

@held = ();                     # the peer ends, and its pipe with it

__DATA__

=== TEST 1: 200 calls at once over two workers make one fetch
--- drive: cold



=== TEST 2: renewal under load, the old token lives on
--- drive: renewal
--- token
expires_in /data/expired_time;



=== TEST 3: renewal under load, the old token is invalid at once
--- drive: renewal 1
--- token
expires_in /data/expired_time;



=== TEST 4: the endpoint is down, and comes back
--- drive: down



=== TEST 5: the endpoint is down while the token is still good
--- drive: stale
--- token
expires_in /data/expired_time;
refresh 3s;



=== TEST 6: the endpoint hangs, other requests do not
--- drive: hang
--- token
timeout 1s;



=== TEST 7: answers that hold no token
--- drive: bad



=== TEST 8: answers with no time to live (expires_in)
--- drive: bad in
--- token
expires_in /data/expired_time;



=== TEST 9: answers with no time of expiry (expires_at)
--- drive: bad at



=== TEST 10: the worker that fetches is killed
--- drive: kill



=== TEST 11: 401 drops the token, but not for ever
--- drive: refused



=== TEST 12: 401 for an old token
--- drive: late



=== TEST 13: reload keeps the token, a change drops it
--- drive: reload
--- token
header X-Version one;



=== TEST 14: clients go away, workers exit
--- drive: abort



=== TEST 15: more calls than may wait
--- drive: crowd



=== TEST 16: no copy of a token is left behind
--- drive: memory

# A token endpoint with its provider (t/peers/tokens.py) and the scenarios of
# drivers in t/peers that nginx goes through with it.
#
#     use Envelope::Tokens;
#
#     token_suite(driver => 'tokens-drive.py');
#
# A block has "drive", the scenario; "token", more of the token's block; and
# may have "host", the endpoint's name, "main", more of http's, and
# "locations".  The profile is called by the scenario's name, so that no two
# share a token.

package Envelope::Tokens;

use strict;
use warnings;

use base 'Exporter';

use FindBin;
use Test::More ();
use Test::Nginx::Socket;

our @EXPORT = qw( token_suite );

my ($tokens, $api, $peer, $keep, $owner);


sub token_suite {
    my %opt = @_;

    master_on();
    workers(2);
    worker_connections(4096);
    log_level('info');
    no_long_string();
    no_shuffle();

    start_peer();

    add_block_preprocessor(\&configure);
    add_response_body_check(sub { drive($opt{driver}, @_) });
}


sub start_peer {
    $owner = $$;

    pipe(my $child_in, $keep) or die;
    my $pid = open($peer, '-|') // die "fork: $!";

    if ($pid == 0) {
        close $keep;
        open(STDIN, '<&', $child_in) or die;
        exec 'python3', "$FindBin::Bin/peers/tokens.py";
        die "exec: $!";
    }

    close $child_in;

    (my $line = <$peer>) =~ /^listening on (\d+) (\d+)/ or die "no tokens.py";
    ($tokens, $api) = ($1, $2);
}


sub configure {
    my $block = shift;

    my ($name) = $block->drive =~ /^(\w+)/;
    my $host = $block->host // '127.0.0.1';
    my $main = $block->main // '';
    my $token = $block->token // '';
    my $locations = $block->locations // '';

    chomp $host;
    $token = "expires_at /data/expired_time;\n$token"
        if $token !~ /^\s*(expires|lifetime)/m;

    $block->set_value('http_config', <<"EOC");
    map "" \$id { default app-1; }

    log_format token "[\$envelope_token] \$status";
    access_log logs/token.log token;
    $main

    envelope_profile $name {
        secret app data:s3cr3t text;

        request { set header:X-Format one; }

        token {
            url http://$host:$tokens/getAccessToken?app_id=\$id&app_secret=<secret:app>;
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

    $locations
EOC

    $block->set_value('request', 'GET /plain');
}


sub drive {
    my ($driver, $block) = @_;

    my $root = html_dir() =~ s{/html$}{}r;
    my $port = server_port_for_client();
    my $scenario = $block->drive;
    chomp $scenario;

    my $out = `python3 $FindBin::Bin/peers/$driver $port $api $root '$scenario' 2>&1`;

    Test::More::diag($out) if $ENV{TEST_TOKEN_VERBOSE} || $out !~ /^ok$/m;
    Test::More::ok($out =~ /^ok$/m, $block->name . ' - driven');
}


# the peer ends with its standard input

END {
    local $?;

    if (defined $owner && $$ == $owner) {
        close $keep;
        close $peer;
    }
}

1;

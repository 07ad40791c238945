# The name of the token endpoint does not resolve: a resolver in front of
# libc's hangs, for that name only.

use File::Temp 'tempdir';
use FindBin;

our $dir;

BEGIN {
    $dir = tempdir(CLEANUP => 1);
    chmod 0755, $dir;

    my @cc = split ' ', $ENV{CC} || 'cc';

    system(@cc, '-Wall', '-Werror', '-fPIC', '-shared', "-DMARK=\"$dir/mark\"",
           '-o', "$dir/resolver.so", "$FindBin::Bin/data/resolver.c", '-ldl')
        == 0 or die "resolver.c";

    # behind the sanitizer's own, which wants to be the first
    $ENV{TEST_NGINX_LD_PRELOAD} = join ' ', grep { defined && length }
        $ENV{TEST_NGINX_LD_PRELOAD}, "$dir/resolver.so";
}

use Test::Nginx::Socket;
use Envelope::Tokens;

token_suite(driver => 'tokens-drive.py');

workers(1);                     # that the other requests go through as well

# libcurl with c-ares asks nobody else

my $asked = sub { open my $in, '<', "$dir/mark" or return 0; scalar(() = <$in>) };

add_response_body_check(sub {
    Test::More::cmp_ok($asked->(), '>', 0, shift->name . ' - it was asked');
});

plan tests => repeat_each() * (3 * blocks());

run_tests();

__DATA__

=== TEST 1: calls get 504 at the timeout, other requests do not wait
--- drive: unresolved
--- host: hangs.example
--- token
timeout 1s;

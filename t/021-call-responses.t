# envelope_call: responses as upstreams deliver them.  The header waits for
# the verdict, so whatever goes wrong on the way is a clean 502.

use Test::Nginx::Socket;
use Envelope::Upstream;

use Compress::Zlib;
use MIME::Base64;

sub sealed { '{"data":"' . encode_base64($_[0], '') . '"}' }

our $message = '{"name":"value","n":1.50}';
our $wire = sealed($message);

sub head {
    my ($length, $more, $status) = @_;

    return 'HTTP/1.1 ' . ($status // '200 OK') . "\r\n"
           . (defined $length ? "Content-Length: $length\r\n" : '')
           . ($more // '') . "Connection: close\r\n\r\n";
}

sub chunk { sprintf "%x\r\n%s\r\n", length $_[0], $_[0] }

sub pieces {
    my ($size, $delay, $text) = @_;

    return map { ($_, $delay) } $text =~ /(.{1,$size})/gs;
}

# the length of the body in the URI: {"data":"..."} of it

sub of_length {
    my ($request) = @_;
    my ($n) = $request->{uri} =~ /n=(\d+)/;

    return sealed('"' . 'x' x (($n - 11) / 4 * 3 - 2) . '"');
}

my $chunked = "Transfer-Encoding: chunked\r\n";
my $gzip = "Content-Encoding: gzip\r\n";
my $bomb;

start_upstream(
    '/ok' => sub { http_ok($wire, "Content-Type: text/plain\r\n") },
    '/meta' => sub {
        http_ok($wire, "ETag: \"e\"\r\nContent-MD5: m\r\nDigest: d\r\n"
                       . "Content-Digest: c\r\nRepr-Digest: r\r\n"
                       . "Accept-Ranges: bytes\r\nX-Other: kept\r\n"
                       . "Last-Modified: Fri, 20 Nov 2020 10:00:00 GMT\r\n"
                       . "Content-Type: text/html; charset=koi8-r\r\n")
    },
    '/split' => sub {
        (head(length $wire), 0.02, pieces(7, 0.01, $wire))
    },
    '/chunked' => sub {
        (head(undef, $chunked), map({ (chunk($_), 0.01) } $wire =~ /.{1,7}/g),
         "0\r\n\r\n")
    },
    '/close' => sub { (head(undef), pieces(7, 0.01, $wire)) },
    '/gzip' => sub { http_ok(Compress::Zlib::memGzip($wire), $gzip) },
    '/x-gzip' => sub {
        my $body = Compress::Zlib::memGzip($wire);
        (head(length $body, "content-encoding: X-GZip\r\n"),
         pieces(5, 0.001, $body))
    },
    '/members' => sub {
        http_ok(join('', map { Compress::Zlib::memGzip($_) }
                             $wire =~ /.{1,9}/g), $gzip)
    },
    '/gzip-cut' => sub {
        http_ok(substr(Compress::Zlib::memGzip($wire), 0, -5), $gzip)
    },
    '/gzip-more' => sub {
        http_ok(Compress::Zlib::memGzip($wire) . '{}', $gzip)
    },
    '/gzip-not' => sub { http_ok($wire, $gzip) },
    '/gzip-empty' => sub { http_ok('', $gzip) },
    '/gzip-twice' => sub {
        http_ok(Compress::Zlib::memGzip($wire), $gzip . $gzip)
    },
    '/bomb' => sub {
        $bomb //= Compress::Zlib::memGzip(sealed('0' x 100_000_000));
        http_ok($bomb, $gzip)
    },
    '/br' => sub { http_ok($wire, "Content-Encoding: br\r\n") },
    '/identity' => sub { http_ok($wire, "Content-Encoding: identity\r\n") },

    '/204' => sub { head(undef, '', '204 No Content') },
    '/304' => sub { head(undef, "ETag: \"e\"\r\n", '304 Not Modified') },
    '/206' => sub {
        (head(4, "Content-Range: bytes 0-3/100\r\n", '206 Partial Content'),
         '{"da')
    },
    '/206-slice' => sub {
        my ($from, $to) = shift->{head} =~ /^Range: bytes=(\d+)-(\d+)/m;
        $to = length($wire) - 1 if $to >= length $wire;
        my $part = substr $wire, $from, $to - $from + 1;
        (head(length $part, "Content-Range: bytes $from-$to/"
                            . length($wire) . "\r\n", '206 Partial Content'),
         $part)
    },
    '/201' => sub { (head(length $wire, '', '201 Created'), $wire) },
    '/302' => sub { (head(4, "Location: /x\r\n", '302 Found'), 'gone') },
    '/404' => sub {
        (head(4, "ETag: \"e\"\r\nX-Why: no\r\nContent-Type: text/x\r\n",
              '404 Not Found'), 'none')
    },
    '/500' => sub { (head(4, '', '500 Oops'), 'oops') },
    '/head' => sub {
        my $request = shift;
        (head(length $wire, "ETag: \"e\"\r\nAccept-Ranges: bytes\r\n"),
         $request->{method} eq 'HEAD' ? () : $wire)
    },

    # nginx takes it for HTTP/0.9
    '/no-status' => sub { $wire },

    '/plain' => sub { http_ok('{"name":"forged"}') },
    '/html' => sub { http_ok('<html>', "Content-Type: text/html\r\n") },
    '/empty' => sub { http_ok('') },
    '/short' => sub { (head(length($wire) + 1), $wire) },
    '/reset' => sub { (head(length $wire), substr($wire, 0, 9), 0.1, RESET) },
    '/reset-first' => sub { (head(length $wire), 0.1, RESET) },
    '/stall' => sub { (head(length $wire), substr($wire, 0, 9), 30) },
    '/chunk-cut' => sub { (head(undef, $chunked), chunk($wire)) },
    '/chunk-bad' => sub {
        (head(undef, $chunked), chunk(substr $wire, 0, 9), 0.1, "zz\r\nxx\r\n",
         0.5)
    },
    '/n' => sub { http_ok(of_length(shift)) },
    '/n-chunked' => sub {
        (head(undef, $chunked), map({ chunk($_) } of_length(shift) =~
                                    /.{1,1000}/g), "0\r\n\r\n")
    },
    '/endless' => sub {
        (head(undef, $chunked), map { (chunk('x' x 10000), 0.01) } 1 .. 1000)
    },
    '/cache' => sub {
        my $request = shift;
        http_ok(sealed("{\"n\":$request->{n}}"),
                "Cache-Control: max-age=60\r\nETag: \"e\"\r\n"
                . "Last-Modified: Fri, 20 Nov 2020 10:00:00 GMT\r\n"
                . "X-Sent: $request->{n}\r\n")
    },
    '/cache-bad' => sub {
        http_ok('{"name":"forged"}', "Cache-Control: max-age=60\r\n")
    },
    '/stale' => sub {
        my $request = shift;
        http_ok(sealed("{\"n\":$request->{n}}"), "Cache-Control: max-age=1\r\n")
    },
    '/when1' => sub { http_ok('{"code":"1","data":{"plain":true}}') },
    '/when1-gzip' => sub {
        http_ok(Compress::Zlib::memGzip('{"code":1}'), $gzip
                . "ETag: \"e\"\r\nX-Other: kept\r\n"
                . "Content-Type: text/plain\r\n")
    },
    '/when1-meta' => sub {
        http_ok(' {"code":1} ', "ETag: \"e\"\r\nContent-MD5: m\r\n"
                . "Content-Type: text/plain; charset=utf-8\r\n")
    },
    '/when0' => sub { http_ok('{"code":0,"data":"eyJhIjoxfQ=="}') },
    '/text' => sub {
        http_ok(sealed('{"text":"aaa","long":"' . 'b' x 2000 . '"}'))
    },
    '/ssi' => sub {
        http_ok(sealed('"<!--# echo var=\'uri\' -->"'),
                "Content-Type: text/html\r\n")
    },
    '/page' => sub {
        http_ok('[<!--# include virtual="/sub" -->]',
                "Content-Type: text/html\r\n")
    },
    '/page-set' => sub {
        http_ok('<!--# include virtual="/sub" set="v" wait="yes" -->'
                . '[<!--# echo var="v" encoding="none" -->]',
                "Content-Type: text/html\r\n")
    },
    '/accel-bad' => sub { http_ok('x', "X-Accel-Redirect: /elsewhere\r\n") },
    '/header' => sub { http_ok('any', "X-App: 7\r\nX-Other: kept\r\n") },
);

add_block_preprocessor(sub {
    my $block = shift;

    my $http = $block->http_config // '';

    $block->set_value('http_config', <<'_EOC_' . $http);
    envelope_profile both {
        request { body data; field data = json | base64; }
        response { body data; field data = json | base64; }
    }

    envelope_profile answer {
        response { body data; field data = json | base64; }
    }

    envelope_profile when {
        response { when code 0; field data = json | base64; }
    }

    envelope_profile header {
        response { set header:X-App 7; }
    }

    upstream up {
        server 127.0.0.1:$TEST_NGINX_UPSTREAM_PORT;
    }

    log_format result "result:$envelope_result:$envelope_reason:$status:";
_EOC_

    $block->set_value('request', "GET /t")
        if !defined $block->request && !defined $block->pipelined_requests
           && !defined $block->raw_request;

    $block->set_value('no_error_log', "[alert]\n[error]\n[crit]")
        if !defined $block->no_error_log && !defined $block->error_log;

    # a refusal, by its reason
    if (defined $block->refused) {
        chomp(my $reason = $block->refused);

        $block->set_value('error_code', 502);
        $block->set_value('response_headers',
                          'Content-Type: application/problem+json');
        $block->set_value('response_body',
                          '{"type":"about:blank","title":"Bad Gateway",'
                          . '"status":502,"detail":"response: '
                          . $reason . '"}');
        $block->set_value('error_log',
                          qr/\[error\].* envelope: profile "\w+" call response: \Q$reason\E while /);
        $block->set_value('no_error_log', '[alert]');
    }
});

no_long_string();

# the upstream counts its answers from the first block on
no_shuffle();

plan tests => repeat_each() * 617;

run_tests();

__DATA__

=== TEST 1: header fields that speak of other bytes go, the rest stays
--- config
    location /t {
        envelope_call answer;
        proxy_pass http://up/meta;
    }
--- raw_response_headers_like eval
qr/^(?!.*(?:ETag|MD5|Digest|Ranges|Last-Modified|koi8)).*Content-Type: application\/json\r\n.*Content-Length: 25\r\n.*X-Other: kept\r\n/s
--- response_body eval
$::message



=== TEST 2: any Content-Type, split, chunked, up to the end of the connection
--- config
    location /t {
        envelope_call answer;
        proxy_pass http://up/;
    }
--- request eval
["GET /tok", "GET /tsplit", "GET /tchunked", "GET /tclose", "GET /t201",
 "GET /tidentity"]
--- error_code eval
[200, 200, 200, 200, 201, 200]
--- response_headers eval
[("Content-Length: 25\n!Transfer-Encoding\nContent-Type: application/json") x 6]
--- response_body eval
[($::message) x 6]



=== TEST 3: the same without buffering
--- config
    location /t {
        envelope_call answer;
        proxy_pass http://up/;
        proxy_buffering off;
    }
--- request eval
["GET /tok", "GET /tsplit", "GET /tchunked", "GET /tclose", "GET /tgzip"]
--- response_headers eval
[("Content-Length: 25\n!Transfer-Encoding") x 5]
--- response_body eval
[($::message) x 5]



=== TEST 4: gzip
--- config
    location /t {
        envelope_call answer;
        proxy_pass http://up/;
        proxy_pass_request_headers off;
    }
--- more_headers
Accept-Encoding: gzip
--- request eval
["GET /tgzip", "GET /tx-gzip", "GET /tmembers"]
--- response_headers eval
[("Content-Length: 25\n!Content-Encoding") x 3]
--- response_body eval
[($::message) x 3]



=== TEST 5: nginx's own gunzip makes no difference
--- config
    location /t {
        envelope_call answer;
        proxy_pass http://up/;
        gunzip on;
    }
--- request eval
["GET /tgzip", "GET /tmembers"]
--- response_headers eval
[("Content-Length: 25\n!Content-Encoding") x 2]
--- response_body eval
[($::message) x 2]



=== TEST 6: a gzip stream that is cut
--- config
    location /t {
        envelope_call answer;
        proxy_pass http://up/gzip-cut;
    }
--- refused
the gzip stream is truncated



=== TEST 7: bytes behind a gzip stream
--- config
    location /t {
        envelope_call answer;
        proxy_pass http://up/gzip-more;
    }
--- refused
no valid gzip stream



=== TEST 8: what is not gzip
--- config
    location /t {
        envelope_call answer;
        proxy_pass http://up/gzip-not;
    }
--- refused
no valid gzip stream



=== TEST 9: nothing at all, as gzip
--- config
    location /t {
        envelope_call answer;
        proxy_pass http://up/gzip-empty;
    }
--- refused
the gzip stream is truncated



=== TEST 10: gzip in gzip
--- config
    location /t {
        envelope_call answer;
        proxy_pass http://up/gzip-twice;
    }
--- refused
Content-Encoding is neither gzip nor identity



=== TEST 11: another coding
--- config
    location /t {
        envelope_call answer;
        proxy_pass http://up/br;
    }
--- refused
Content-Encoding is neither gzip nor identity



=== TEST 12: 100 MB in 100 kB
--- config
    location /t {
        envelope_call answer;
        proxy_pass http://up/bomb;
    }
--- timeout: 10
--- refused
larger than 1048576 bytes once inflated



=== TEST 13: 100 MB in 100 kB with gunzip behind
--- config
    location /t {
        envelope_call answer;
        proxy_pass http://up/bomb;
        gunzip on;
    }
--- timeout: 10
--- refused
larger than 1048576 bytes once inflated



=== TEST 14: no 2xx, or nothing in it: as it is
--- config
    location /t {
        envelope_call answer;
        proxy_pass http://up/;
    }
--- request eval
["GET /t204", "GET /t304", "GET /t302", "GET /t404", "GET /t500"]
--- error_code eval
[204, 304, 302, 404, 500]
--- response_headers eval
["!Content-Type", "ETag: \"e\"", "Location: /x",
 "ETag: \"e\"\nX-Why: no\nContent-Type: text/x", "Content-Length: 4"]
--- response_body eval
["", "", "gone", "none", "oops"]



=== TEST 15: HEAD says nothing of the sealed body
--- config
    location /t {
        envelope_call answer;
        proxy_pass http://up/head;
    }
--- request
HEAD /t
--- response_headers
!Content-Length
!ETag
!Accept-Ranges
--- response_body



=== TEST 16: a part of a message
--- config
    location /t {
        envelope_call answer;
        proxy_pass http://up/206;
    }
--- refused
a part of a message (status 206)



=== TEST 17: a 2xx that was not sealed
--- config
    location /t {
        envelope_call answer;
        proxy_pass http://up/plain;
    }
--- error_code: 502
--- response_body_unlike
forged
--- error_log
envelope: profile "answer" call response: 
--- no_error_log
[alert]



=== TEST 18: a 2xx that is not JSON
--- config
    location /t {
        envelope_call answer;
        proxy_pass http://up/html;
    }
--- error_code: 502
--- response_headers
Content-Type: application/problem+json
--- response_body_like chop
"detail":"response: 
--- error_log
envelope: profile "answer" call response: 
--- no_error_log
[alert]



=== TEST 19: a 2xx that is empty
--- config
    location /t {
        envelope_call answer;
        proxy_pass http://up/empty;
    }
--- error_code: 502
--- response_body_like chop
"detail":"response: 
--- error_log
envelope: profile "answer" call response: 
--- no_error_log
[alert]



=== TEST 20: exactly envelope_max_response_size
--- config
    location /t {
        envelope_call answer;
        envelope_max_response_size 4011;
        proxy_pass http://up/;
    }
--- request eval
["GET /tn?n=4011", "GET /tn-chunked?n=4011"]
--- response_headers eval
["Content-Length: 3000", "Content-Length: 3000"]
--- response_body_like eval
["^\"x{2998}\"\$", "^\"x{2998}\"\$"]



=== TEST 21: more, announced
--- config
    location /t {
        envelope_call answer;
        envelope_max_response_size 4010;
        proxy_pass http://up/n?n=4011;
    }
--- refused
larger than envelope_max_response_size



=== TEST 22: more, in chunks
--- config
    location /t {
        envelope_call answer;
        envelope_max_response_size 4010;
        proxy_pass http://up/n-chunked?n=4011;
    }
--- refused
larger than envelope_max_response_size



=== TEST 23: more, without buffering
--- config
    location /t {
        envelope_call answer;
        envelope_max_response_size 4010;
        proxy_pass http://up/n-chunked?n=4011;
        proxy_buffering off;
    }
--- refused
larger than envelope_max_response_size



=== TEST 24: an endless one is answered at once
--- config
    location /t {
        envelope_call answer;
        envelope_max_response_size 30k;
        proxy_pass http://up/endless;
    }
--- timeout: 2
--- refused
larger than envelope_max_response_size



=== TEST 25: the end comes too early
--- config
    location /t {
        envelope_call answer;
        proxy_pass http://up/short;
    }
--- refused
it ended before its end



=== TEST 26: the end comes too early, without buffering
--- config
    location /t {
        envelope_call answer;
        proxy_pass http://up/short;
        proxy_buffering off;
    }
--- refused
it ended before its end



=== TEST 27: a reset in the middle
--- config
    location /t {
        envelope_call answer;
        proxy_pass http://up/reset;
    }
--- refused
it ended before its end



=== TEST 28: a reset in the middle, without buffering
--- config
    location /t {
        envelope_call answer;
        proxy_pass http://up/reset;
        proxy_buffering off;
    }
--- refused
it ended before its end



=== TEST 29: a reset behind the header
--- config
    location /t {
        envelope_call answer;
        proxy_pass http://up/reset-first;
    }
--- refused
it ended before its end



=== TEST 30: silence in the middle
--- config
    location /t {
        envelope_call answer;
        proxy_pass http://up/stall;
        proxy_read_timeout 300ms;
    }
--- refused
it ended before its end



=== TEST 31: chunks without an end
--- config
    location /t {
        envelope_call answer;
        proxy_http_version 1.1;
        proxy_pass http://up/chunk-cut;
    }
--- refused
it ended before its end



=== TEST 32: chunks that are none
--- config
    location /t {
        envelope_call answer;
        proxy_http_version 1.1;
        proxy_pass http://up/chunk-bad;
    }
--- refused
its body is malformed



=== TEST 33: chunks that are none, without buffering
--- config
    location /t {
        envelope_call answer;
        proxy_http_version 1.1;
        proxy_buffering off;
        proxy_pass http://up/chunk-bad;
    }
--- refused
its body is malformed



=== TEST 34: the cache has the sealed form, and every hit is opened
--- http_config
    proxy_cache_path $TEST_NGINX_SERVER_ROOT/c_cache keys_zone=c:1m;
--- config
    location /t {
        envelope_call answer;
        proxy_cache c;
        proxy_cache_key k;
        proxy_pass http://up/cache;
        add_header X-Cache $upstream_cache_status;
    }

    location /raw {
        proxy_cache c;
        proxy_cache_key k;
        proxy_pass http://up/cache;
    }
--- request eval
["GET /t", "GET /t", "HEAD /t", "GET /raw"]
--- response_headers eval
["X-Cache: MISS\n!ETag", "X-Cache: HIT\n!ETag\n!Accept-Ranges",
 "X-Cache: HIT\n!Content-Length", "!X-Cache\nETag: \"e\""]
--- response_body eval
['{"n":1}', '{"n":1}', '', '{"data":"eyJuIjoxfQ=="}']



=== TEST 35: ranges of a cached one
--- http_config
    proxy_cache_path $TEST_NGINX_SERVER_ROOT/c_cache keys_zone=c:1m;
--- config
    location /t {
        envelope_call answer;
        proxy_cache c;
        proxy_cache_key k;
        proxy_pass http://up/cache;
    }
--- more_headers
Range: bytes=0-2
--- request eval
["GET /t", "GET /t"]
--- error_code eval
[200, 200]
--- response_body_like eval
['^\{"n":\d+\}$', '^\{"n":\d+\}$']



=== TEST 36: a cached one that has not been modified
--- http_config
    proxy_cache_path $TEST_NGINX_SERVER_ROOT/c_cache keys_zone=c:1m;
--- config
    location /t {
        envelope_call answer;
        proxy_cache c;
        proxy_cache_key k;
        proxy_pass http://up/cache;
    }
--- more_headers
If-Modified-Since: Fri, 20 Nov 2020 10:00:00 GMT
--- request eval
["GET /t", "GET /t"]
--- error_code eval
[304, 304]
--- response_body eval
["", ""]



=== TEST 37: a cached one that does not open
--- http_config
    proxy_cache_path $TEST_NGINX_SERVER_ROOT/c_cache keys_zone=c:1m;
--- config
    location /t {
        envelope_call answer;
        proxy_cache c;
        proxy_cache_key k;
        proxy_pass http://up/cache-bad;
    }
--- request eval
["GET /t", "GET /t"]
--- error_code eval
[502, 502]
--- response_body_like eval
["\"status\":502,\"detail\":\"response: ", "\"status\":502,\"detail\":\"response: "]
--- error_log
envelope: profile "answer" call response: 



=== TEST 38: a stale one is opened while it is updated behind
--- http_config
    proxy_cache_path $TEST_NGINX_SERVER_ROOT/c_cache keys_zone=c:1m;
--- config
    location /t {
        envelope_call both;
        proxy_cache c;
        proxy_cache_key k;
        proxy_cache_use_stale updating;
        proxy_cache_background_update on;
        proxy_pass http://up/stale;
    }

    location /pause {
        proxy_pass http://up/split;
    }
--- request eval
["GET /t", "GET /t"]
--- wait: 2.2
--- response_body eval
['{"n":1}', '{"n":1}']



=== TEST 39: filters behind see the plain body
--- config
    location /t {
        envelope_call answer;
        proxy_pass http://up/text;
        sub_filter_types application/json;
        sub_filter aaa cccc;
        gzip on;
        gzip_types application/json;
        gzip_min_length 1;
    }
--- more_headers
Accept-Encoding: gzip
--- response_headers
Content-Encoding: gzip
--- response_body_filters eval
\&Compress::Zlib::memGunzip
--- response_body_like chop
^\{"text":"cccc","long":"b{2000}"\}



=== TEST 40: nothing in an opened body is a command
--- config
    location /t {
        ssi on;
        ssi_types *;
        envelope_call answer;
        proxy_pass http://up/ok;
    }
--- response_body eval
$::message



=== TEST 41: add_header .. always is on the problem, add_header is not
--- config
    location /t {
        envelope_call answer;
        proxy_pass http://up/plain;
        add_header X-Always yes always;
        add_header X-Good yes;
        expires 1h;
    }
--- error_code: 502
--- response_headers
X-Always: yes
!X-Good
!Expires
!Cache-Control
Content-Type: application/problem+json
--- response_body_like chop
"status":502
--- error_log
envelope: profile "answer" call response: 



=== TEST 42: the connection stays usable behind a refusal
--- config
    location /t {
        envelope_call answer;
        envelope_max_response_size 4000;
        proxy_pass http://up/;
    }
--- pipelined_requests eval
["GET /tplain", "GET /tok", "GET /tn?n=4011", "GET /tok",
 "GET /tn-chunked?n=400011", "GET /tok"]
--- error_code eval
[502, 200, 502, 200, 502, 200]
--- response_body_like eval
["\"status\":502", '^\{"name":"value","n":1.50\}$',
 "\"status\":502", '^\{"name":"value","n":1.50\}$',
 "\"status\":502", '^\{"name":"value","n":1.50\}$']
--- no_error_log
[alert]



=== TEST 43: error_page, a file
--- config
    location /t {
        envelope_call answer;
        proxy_pass http://up/;
        error_page 502 /sorry.json;
    }
--- user_files
>>> sorry.json
sorry
--- request eval
["GET /tplain", "GET /treset", "GET /t206", "GET /tok"]
--- error_code eval
[502, 502, 502, 200]
--- response_body eval
["sorry\n", "sorry\n", "sorry\n", $::message]
--- no_error_log
[alert]



=== TEST 44: error_page, a named location with an upstream
--- config
    location /t {
        envelope_call answer;
        envelope_max_response_size 4000;
        proxy_pass http://up/;
        error_page 502 = @fallback;
    }

    location @fallback {
        rewrite ^ /echo break;
        proxy_pass http://up;
        add_header X-Result $envelope_result;
    }
--- request eval
["POST /tplain\nposted", "POST /treset\nposted", "POST /t206\nposted",
 "POST /tn?n=4011\nposted", "POST /tn-chunked?n=400011\nposted",
 "POST /tendless\nposted"]
--- error_code eval
[(200) x 6]
--- response_body eval
[("posted") x 6]
--- no_error_log
[alert]



=== TEST 45: error_page, a profile of the server's, answered by "return"
--- config
    envelope_call answer;

    location /t {
        proxy_pass http://up/plain;
        error_page 502 = @fallback;
    }

    location @fallback {
        return 200 '{"fallback":true}';
    }
--- response_body chop
{"fallback":true}
--- error_log
envelope: profile "answer" call response: 
--- no_error_log
[alert]



=== TEST 46: error_page, a profile of the server's, answered by a file
--- config
    envelope_call answer;

    location /t {
        proxy_pass http://up/plain;
        error_page 502 =200 /sorry.json;
    }
--- user_files
>>> sorry.json
sorry
--- response_body
sorry
--- error_log
envelope: profile "answer" call response: 
--- no_error_log
[alert]



=== TEST 47: error_page, an upstream that does not answer as it should either
--- config
    envelope_call answer;

    location /t {
        proxy_pass http://up/plain;
        error_page 502 = @fallback;
    }

    location @fallback {
        rewrite ^ /plain break;
        proxy_pass http://up;
    }
--- error_code: 502
--- response_headers
Content-Type: application/problem+json
--- response_body_like chop
"status":502,"detail":"response: 
--- error_log
envelope: profile "answer" call response: 
--- no_error_log
[alert]



=== TEST 48: error_page of an upstream that is down
--- config
    envelope_call answer;

    location /t {
        proxy_pass http://127.0.0.1:$TEST_NGINX_RAND_PORT_1;
        error_page 502 = @fallback;
    }

    location @fallback {
        rewrite ^ /ok break;
        proxy_pass http://up;
    }
--- response_body eval
$::message
--- error_log
Connection refused
--- no_error_log
[alert]



=== TEST 49: "return" asks no provider, a file may be what one has said
--- config
    envelope_call answer;

    location /return {
        return 200 plain;
    }

    location /file {
        alias $TEST_NGINX_SERVER_ROOT/html/;
    }
--- user_files
>>> plain.txt
plain
>>> sealed.txt
{"data":"eyJhIjoxfQ=="}
--- request eval
["GET /return", "GET /file/sealed.txt", "GET /file/plain.txt"]
--- error_code eval
[200, 200, 502]
--- response_body_like eval
["^plain\$", "^\\{\"a\":1\\}\$", "\"status\":502"]
--- no_error_log
[alert]



=== TEST 50: a range of such a file
--- config
    location /file {
        envelope_call answer;
        alias $TEST_NGINX_SERVER_ROOT/html/;
        sendfile on;
    }
--- user_files
>>> sealed.txt
{"data":"eyJhIjoxfQ=="}
--- request
GET /file/sealed.txt
--- more_headers
Range: bytes=0-1
--- response_headers
!Accept-Ranges
!Content-Range
Content-Length: 7
--- response_body chop
{"a":1}



=== TEST 51: proxy_store keeps the sealed form
--- config
    location /t {
        envelope_call answer;
        root $TEST_NGINX_SERVER_ROOT/html;
        error_page 404 = @fetch;
        log_not_found off;
    }

    location @fetch {
        envelope_call answer;
        rewrite ^ /ok break;
        root $TEST_NGINX_SERVER_ROOT/html;
        proxy_store $TEST_NGINX_SERVER_ROOT/html/t.json;
        proxy_pass http://up;
    }

    location /stored {
        alias $TEST_NGINX_SERVER_ROOT/html/t.json;
    }
--- request eval
["GET /t.json", "GET /t.json", "GET /stored"]
--- response_body eval
[$::message, $::message, $::wire]



=== TEST 52: a condition that does not hold
--- config
    location /t {
        envelope_call when;
        proxy_pass http://up/;
    }
--- request eval
["GET /twhen1", "GET /twhen1-gzip", "GET /twhen1-meta", "GET /twhen0"]
--- response_headers eval
["Content-Length: 34", "Content-Length: 10\n!Content-Encoding\n!ETag\n"
 . "X-Other: kept\nContent-Type: text/plain",
 "Content-Length: 12\nETag: \"e\"\nContent-MD5: m\n"
 . "Content-Type: text/plain; charset=utf-8", "Content-Length: 25"]
--- response_body eval
['{"code":"1","data":{"plain":true}}', '{"code":1}', ' {"code":1} ',
 '{"code":0,"data":{"a":1}}']



=== TEST 53: SSI includes the opened body, or the problem
--- config
    location /page {
        ssi on;
        proxy_pass http://up;
        proxy_pass_request_body off;
    }

    location = /sub {
        envelope_call answer;
        proxy_pass http://up/ok;
    }
--- request eval
["GET /page", "GET /page-set"]
--- response_body eval
["[$::message]", "[$::message]"]



=== TEST 54: SSI, a refusal
--- config
    location /page {
        ssi on;
        proxy_pass http://up;
    }

    location = /sub {
        envelope_call answer;
        proxy_pass http://up/plain;
    }
--- request eval
["GET /page", "GET /page-set"]
--- response_body_like eval
["^\\[\\{\"type\":\"about:blank\".*\"status\":502,.*\\}\\]\$",
 "^\\[\\]\$"]
--- error_log
envelope: profile "answer" call response: 
--- no_error_log
[alert]



=== TEST 55: auth_request goes by a message that opens
--- config
    location /u {
        auth_request /auth;
        proxy_pass http://up/echo;
    }

    location /auth {
        internal;
        envelope_call answer;
        proxy_pass http://up/ok;
        proxy_pass_request_body off;
        proxy_set_header Content-Length "";
    }
--- request
POST /u
posted
--- response_body chop
posted



=== TEST 56: and not by one that does not
--- config
    location /u {
        auth_request /auth;
        proxy_pass http://up/echo56;
    }

    location /auth {
        internal;
        envelope_call answer;
        proxy_pass http://up/plain;
        proxy_pass_request_body off;
        proxy_set_header Content-Length "";
    }

    location /seen {
        proxy_pass http://up;
    }
--- request eval
["POST /u\nposted", "GET /seen/echo56"]
--- error_code eval
[500, 200]
--- response_body_like eval
["500", "^0\n\$"]
--- no_error_log
[alert]



=== TEST 57: nobody waits for what a mirror is answered
--- config
    location /t {
        mirror /m;
        proxy_pass http://up/echo;
    }

    location /m {
        internal;
        envelope_call answer;
        proxy_pass http://up/plain;
    }
--- request
POST /t
posted
--- response_body chop
posted



=== TEST 58: HTTP/2
--- http_config
    server {
        listen 127.0.0.1:$TEST_NGINX_RAND_PORT_1 http2;

        location /t {
            envelope_call answer;
            envelope_max_response_size 4000;
            proxy_http_version 1.1;
            proxy_pass http://up/;
        }
    }
--- config
    location ~ ^/h2(.*) {
        proxy_pass http://up/h2?port=$TEST_NGINX_RAND_PORT_1&uri=/t$1;
    }
--- request eval
["GET /h2ok", "GET /h2plain", "GET /h2chunk-bad", "GET /h2reset",
 "GET /h2endless"]
--- response_body_like eval
["^HTTP/2 200 \r\n.*content-length: 25\r\n\r\n\\{\"name\":\"value\",\"n\":1.50\\}\$",
 ("^HTTP/2 502 \r\n.*content-type: application/problem\\+json\r\n.*\r\n\r\n\\{\"type\":.*\\}\$")
 x 4]
--- no_error_log
[alert]



=== TEST 59: the log knows
--- config
    access_log logs/access.log result;

    location /t {
        envelope_call answer;
        proxy_pass http://up/;
    }
--- request eval
["GET /tok", "GET /t404", "GET /t206"]
--- error_code eval
[200, 404, 502]
--- wait: 0.1
--- access_log eval
qr/result:/
--- no_error_log
[alert]



=== TEST 60: a format of header fields alone leaves the body as it is
--- config
    location /t {
        envelope_call header;
        proxy_pass http://up/;
    }
--- request eval
["GET /theader", "GET /tok"]
--- error_code eval
[200, 502]
--- response_headers eval
["Content-Length: 3\n!X-App\nX-Other: kept", "Content-Type: application/problem+json"]
--- response_body_like eval
["^any\$", "\"status\":502"]
--- no_error_log
[alert]



=== TEST 61: a slow and split one does not hold up another
--- config
    location /t {
        envelope_call answer;
        proxy_pass http://up/;
    }
--- pipelined_requests eval
["GET /tsplit", "GET /tsplit"]
--- response_body eval
[$::message, $::message]



=== TEST 62: the client leaves while the response is collected
--- config
    location /t {
        envelope_call answer;
        proxy_pass http://up/stall;
        proxy_read_timeout 5s;
    }
--- request
GET /t
--- timeout: 0.3
--- abort
--- ignore_response
--- wait: 0.3
--- no_error_log
[alert]
[crit]



=== TEST 63: large enough to be written to a file by nginx on the way
--- config
    location /t {
        envelope_call answer;
        envelope_max_response_size 2m;
        proxy_buffers 3 4k;
        proxy_busy_buffers_size 8k;
        proxy_buffer_size 4k;
        proxy_pass http://up/n?n=1000011;
    }
--- response_headers
Content-Length: 750000
--- response_body eval
'"' . 'x' x 749998 . '"'



=== TEST 64: slices are parts
--- http_config
    proxy_cache_path $TEST_NGINX_SERVER_ROOT/c_cache keys_zone=c:1m;
--- config
    location /t {
        slice 10;
        envelope_call answer;
        proxy_cache c;
        proxy_cache_key $slice_range;
        proxy_set_header Range $slice_range;
        proxy_pass http://up/206-slice;
    }
--- refused
a message in parts (slice)



=== TEST 65: bytes without a status line
--- config
    location /t {
        envelope_call answer;
        proxy_pass http://up/no-status;
    }
--- refused
it has no HTTP status



=== TEST 66: a client is told that its connection ends with a broken response
--- config
    location /t {
        envelope_call answer;
        proxy_pass http://up/short;
    }
--- raw_request eval
"GET /t HTTP/1.1\r\nHost: localhost\r\n\r\n"
--- error_code: 502
--- response_headers
Connection: close
--- error_log
it ended before its end
--- no_error_log
[alert]



=== TEST 67: one that is whole and does not open leaves the connection alone
--- config
    location /t {
        envelope_call answer;
        proxy_pass http://up/plain?;
    }
--- pipelined_requests eval
["GET /t1", "GET /t2"]
--- error_code eval
[502, 502]
--- response_body_like eval
[qr/"response: field data: data is absent"/,
 qr/"response: field data: data is absent"/]
--- no_error_log
[alert]

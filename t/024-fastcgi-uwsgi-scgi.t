# The other upstream modules: they take the length, the type and the body of
# a request from nginx in ways of their own.

use Test::Nginx::Socket;
use Envelope::Upstream;

use MIME::Base64;

sub sealed { '{"data":"' . encode_base64($_[0], '') . '"}' }

sub more {
    my ($client, $buf, $n) = @_;

    while (length $$buf < $n) {
        sysread $client, $$buf, 65536, length $$buf or die "cut short\n";
    }

    return substr $$buf, 0, $n, '';
}

# what was sent, as text, or an answer made of it

sub reply {
    my ($params, $body) = @_;

    my $text = join '', map { "$_=$params->{$_}\n" } sort keys %$params;
    my $uri = $params->{REQUEST_URI} // '';

    $body = $uri =~ /sealed/ ? sealed($body)
          : $uri =~ /echo/   ? $body
          :                    "$text\n$body";

    return "Status: 200 OK\r\nContent-Type: text/plain\r\n"
           . "Content-Length: " . length($body)
           . ($uri =~ /cut/ ? 0 : '') . "\r\n\r\n$body";
}


# https://fastcgi-archives.github.io/FastCGI_Specification.html

sub fastcgi {
    my $client = shift;
    my ($buf, $params, $body) = ('', '', '');

    while (1) {
        my ($version, $type, $id, $length, $padding) =
            unpack 'CCnnC', more($client, \$buf, 8);
        my $content = more($client, \$buf, $length);
        more($client, \$buf, $padding);

        if ($type == 4) {
            $params .= $content;
        } elsif ($type == 5) {
            last if $length == 0;
            $body .= $content;
        }
    }

    my %params;
    while (length $params) {
        my @n = map {
            my $n = ord substr $params, 0, 1;
            $n > 127 ? unpack('N', substr $params, 0, 4, '') & 0x7fffffff
                     : ord substr $params, 0, 1, '';
        } 1 .. 2;
        my $name = substr $params, 0, $n[0], '';
        $params{$name} = substr $params, 0, $n[1], '';
    }

    my $reply = reply(\%params, $body);
    my $records = '';

    $records .= pack('CCnnCC', 1, 6, 1, length $_, 0, 0) . $_
        for $reply =~ /(.{1,30000})/gs;

    answer($client, $records . pack('CCnnCC', 1, 6, 1, 0, 0, 0)
                    . pack('CCnnCCNCCCC', 1, 3, 1, 8, 0, 0, 0, 0, 0, 0, 0));
}


# https://uwsgi-docs.readthedocs.io/en/latest/Protocol.html

sub uwsgi {
    my $client = shift;
    my $buf = '';

    my ($modifier, $size) = unpack 'CvC', more($client, \$buf, 4);
    my $vars = more($client, \$buf, $size);

    my %params = unpack '(v/a)*', $vars;
    my $body = more($client, \$buf, $params{CONTENT_LENGTH} || 0);

    answer($client, reply(\%params, $body));
}


# https://python.ca/scgi/protocol.txt

sub scgi {
    my $client = shift;
    my $buf = '';
    my $size = '';

    $size .= more($client, \$buf, 1) until $size =~ /:/;
    chop $size;

    my %params = more($client, \$buf, $size) =~ /\G([^\0]*)\0([^\0]*)\0/g;
    more($client, \$buf, 1);
    my $body = more($client, \$buf, $params{CONTENT_LENGTH} || 0);

    answer($client, reply(\%params, $body));
}

$ENV{TEST_NGINX_FASTCGI_PORT} = start_server(\&fastcgi);
$ENV{TEST_NGINX_UWSGI_PORT} = start_server(\&uwsgi);
$ENV{TEST_NGINX_SCGI_PORT} = start_server(\&scgi);

my $profiles = <<'_EOC_';
    envelope_profile out {
        request { set header:X-App 7; body data; field data = json | base64; }
    }

    envelope_profile both {
        request { body data; field data = json | base64; }
        response { body data; field data = json | base64; }
    }

    envelope_profile in {
        webhook { body data; field data = json | base64; }
    }
_EOC_

# "MODULE_pass" in the blocks is all three of them, in a location of a name

add_block_preprocessor(sub {
    my $block = shift;

    my $config = $block->config;
    my $result = '';

    for my $module (qw( fastcgi uwsgi scgi )) {
        my $port = '$TEST_NGINX_' . uc($module) . '_PORT';
        my $one = $config;

        $one =~ s{/MODULE}{/$module}g;
        $one =~ s{MODULE_pass;}{${module}_pass 127.0.0.1:$port;
            ${module}_param REQUEST_METHOD \$request_method;
            ${module}_param REQUEST_URI \$request_uri;
            ${module}_param CONTENT_TYPE \$content_type;
            ${module}_param CONTENT_LENGTH \$content_length;}g;
        $one =~ s{MODULE_}{${module}_}g;
        $result .= $one;
    }

    $block->set_value('config', $result);
    $block->set_value('http_config', $profiles . ($block->http_config // ''));
    $block->set_value('suppress_stderr', 1);

    # the same request for each, with one expectation for all of them

    my $request = $block->request;
    my @requests = map {
        my $one = $request;
        $one =~ s{/MODULE}{/$_};
        $one;
    } qw( fastcgi uwsgi scgi );
    $block->set_value('request', \@requests);

    for my $name (qw( error_code response_body response_body_like
                      response_headers ))
    {
        my $value = $block->$name;
        $block->set_value($name, [($value) x 3]) if defined $value;
    }

    $block->set_value('no_error_log', "[alert]\n[error]\n[crit]")
        if !defined $block->no_error_log;
});

no_long_string();

plan tests => repeat_each() * 162;

run_tests();

__DATA__

=== TEST 1: a call
--- config
    location /MODULE {
        envelope_call out;
        MODULE_pass;
    }
--- request
POST /MODULE
{"a":1}
--- more_headers
Content-Type: text/plain
--- response_body_like chop
^CONTENT_LENGTH=23
CONTENT_TYPE=application/json
(?!.*TRANSFER_ENCODING).*HTTP_X_APP=7
.*\n\n\{"data":"eyJhIjoxfQ=="\}$



=== TEST 2: a call with a body in a file
--- config
    location /MODULE {
        envelope_call out;
        client_body_buffer_size 1k;
        MODULE_pass;
    }
--- request eval
'POST /MODULE/echo' . "\n" . '"' . 'x' x 30001 . '"'
--- response_body_like eval
'^\{"data":"[A-Za-z0-9]{40004}"\}$'
--- error_log
buffered to a temporary file
--- no_error_log
[alert]
[error]



=== TEST 3: a call without a body
--- config
    location /MODULE {
        envelope_call out;
        MODULE_pass;
    }
--- request
GET /MODULE
--- response_body_like chop
^CONTENT_LENGTH=15
CONTENT_TYPE=application/json
.*\n\n\{"data":"e30="\}$



=== TEST 4: a call in chunks, with buffering of the request off
--- config
    location /MODULE {
        envelope_call out;
        MODULE_request_buffering off;
        MODULE_pass;
    }
--- more_headers
Transfer-Encoding: chunked
--- request eval
"POST /MODULE\n3\r\n{\"a\r\n4\r\n\":1}\r\n0\r\n\r\n"
--- response_body_like chop
^CONTENT_LENGTH=23
CONTENT_TYPE=application/json
(?!.*TRANSFER_ENCODING).*\n\n\{"data":"eyJhIjoxfQ=="\}$



=== TEST 5: the response is opened
--- config
    location /MODULE {
        envelope_call both;
        MODULE_pass;
    }
--- request
POST /MODULE/echo
{"a":1}
--- response_headers
Content-Type: application/json
Content-Length: 7
--- response_body chop
{"a":1}



=== TEST 6: the response is opened without buffering
--- config
    location /MODULE {
        envelope_call both;
        MODULE_buffering off;
        MODULE_pass;
    }
--- request
POST /MODULE/echo
{"a":1}
--- response_body chop
{"a":1}



=== TEST 7: a response that is none
--- config
    location /MODULE {
        envelope_call both;
        MODULE_pass;
    }
--- request
POST /MODULE
{"a":1}
--- error_code: 502
--- response_headers
Content-Type: application/problem+json
--- response_body_like chop
"status":502,"detail":"response: 
--- error_log
envelope: profile "both" call response: 
--- no_error_log
[alert]



=== TEST 8: a response that is cut
--- config
    location /MODULE {
        envelope_call both;
        MODULE_pass;
    }
--- request
POST /MODULE/echo-cut
{"a":1}
--- error_code: 502
--- response_body_like chop
"status":502,"detail":"response: 
--- error_log
envelope: profile "both" call response: 
--- no_error_log
[alert]



=== TEST 9: a webhook
--- config
    location /MODULE {
        envelope_webhook in;
        MODULE_pass;
    }
--- request
POST /MODULE
{"data":"eyJhIjoxfQ=="}
--- response_body_like chop
^CONTENT_LENGTH=7
CONTENT_TYPE=application/json
.*\n\n\{"a":1\}$



=== TEST 10: a webhook that is refused
--- config
    location /MODULE {
        envelope_webhook in;
        MODULE_pass;
    }
--- request
POST /MODULE
{"data":"!"}
--- error_code: 401
--- response_body chop
{"type":"about:blank","title":"Unauthorized","status":401}
--- error_log
envelope: profile "in" webhook webhook: field data: 
--- no_error_log
[alert]
connect to 127.0.0.1



=== TEST 11: an error page of a refusal gets no body
--- config
    location /MODULE {
        envelope_webhook in;
        error_page 401 = /MODULE-page;
        MODULE_pass;
    }

    location = /MODULE-page {
        MODULE_pass;
    }
--- request
POST /MODULE
{"data":"!","secret":1}
--- response_body_like chop
^CONTENT_LENGTH=0
CONTENT_TYPE=
(?!.*secret).*\n\n$
--- no_error_log
[alert]

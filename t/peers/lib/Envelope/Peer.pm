# The other end, for the suites: keys, messages that the independent peers in
# t/peers seal or open, and an upstream that is such a peer.
#
#     use FindBin;
#     use lib "$FindBin::Bin/peers/lib";
#     use Envelope::Peer;
#
#     make_rsa(platform => 2048, merchant => 4096);
#     my $wire = peer('A seal-request --key platform.pub.pem', '{"a":1}');
#     start_peers('/provider' => provider('A', '--platform ..'));
#
# Keys are made once for a suite, in a directory that goes with it: NAME.pem
# and NAME.pub.pem in $TEST_NGINX_KEYS.  File names in options of the peers
# are relative to it.

package Envelope::Peer;

use v5.10.1;
use strict;
use warnings;

use base 'Exporter';

use Cwd ();
use File::Basename qw( dirname );
use File::Temp ();
use IO::Socket::INET ();
use IO::Socket::UNIX ();
use JSON::PP ();
use POSIX ();
use Time::HiRes qw( sleep );

my $peers;

BEGIN {
    $peers = Cwd::abs_path(dirname(__FILE__) . '/../..');

    # behind whatever is there: an installed Test::Nginx stays in front
    push @INC, "$peers/../lib";
}

use Envelope::Upstream;

our @EXPORT = (@Envelope::Upstream::EXPORT, qw(
    $keys make_rsa make_keys openssl slurp spew jdk
    peer peer_error b64 unb64 hex_of
    start_peers provider subscriber fixed
    post answered_with odd text_of_length unauthorized
    bad_request profile locations attack_section $http
));

our $keys = Cwd::abs_path(File::Temp::tempdir(CLEANUP => 1));

$ENV{TEST_NGINX_KEYS} = $keys;
$ENV{TEST_NGINX_JDK} = "$keys/jdk";


# files and commands

sub slurp {
    my $path = shift;

    $path = "$keys/$path" if $path !~ m{\A/};
    open my $in, '<:raw', $path or die "$path: $!";
    local $/;
    return scalar <$in>;
}

sub spew {
    my ($path, $content) = @_;

    $path = "$keys/$path" if $path !~ m{\A/};
    my $mask = umask 077;
    open my $out, '>:raw', $path or die "$path: $!";
    umask $mask;
    print $out $content;
    close $out or die "$path: $!";
}

# What comes with the tests is copied, since a checkout's files are readable
# by all, which nginx warns about.

sub copy_data {
    my $from = "$peers/../data";

    mkdir "$keys/jdk" or die "$keys/jdk: $!";
    spew('jdk/' . s{.*/}{}r, slurp(Cwd::abs_path($_))) for glob("$from/jdk/*");
    spew('printed-' . s{.*/unified-}{}r, slurp(Cwd::abs_path($_)))
        for glob("$from/keys/unified-*");
}

# a vector of the Java platform, see t/data/jdk/README

sub jdk { slurp("$ENV{TEST_NGINX_JDK}/$_[0]") }

sub b64 { require MIME::Base64; MIME::Base64::encode_base64($_[0], '') }
sub unb64 { require MIME::Base64; MIME::Base64::decode_base64($_[0]) }
sub hex_of { unpack 'H*', $_[0] }


# the output of a command that is fed

sub openssl {
    my ($arguments, $data) = @_;

    my @command = ('openssl', split ' ', $arguments);

    my $work = File::Temp->newdir;
    local ($?, $!);
    local $SIG{CHLD} = 'DEFAULT';      # upstreams ignore it

    spew("$work/in", $data // '');

    my $pid = fork() // die "cannot fork: $!";

    if ($pid == 0) {
        open STDIN, '<', "$work/in";
        open STDOUT, '>', "$work/out";
        open STDERR, '>', "$work/err";
        chdir $keys;
        exec { $command[0] } @command or POSIX::_exit(127);
    }

    waitpid $pid, 0;

    die "@command: ", slurp("$work/err") if $?;

    return slurp("$work/out");
}


# NAME => BITS, ..; several are made at the same time

sub make_rsa {
    my %bits = @_;

    make_keys(map { $_ => "-algorithm RSA -pkeyopt rsa_keygen_bits:$bits{$_}" }
                  sort { $bits{$b} <=> $bits{$a} } keys %bits);
}

# NAME => what "openssl genpkey" is told, ..

sub make_keys {
    my @list = @_;
    my @pids;

    while (my ($name, $options) = splice @list, 0, 2) {
        my $pid = fork() // die "cannot fork: $!";

        if ($pid == 0) {
            my $ok = eval {
                openssl("genpkey $options -out $name.pem");
                openssl("pkey -in $name.pem -pubout -out $name.pub.pem");
                chmod 0600, "$keys/$name.pem";
                1;
            };
            warn $@ if !$ok;
            POSIX::_exit($ok ? 0 : 1);
        }

        push @pids, $pid;
    }

    for my $pid (@pids) {
        waitpid $pid, 0;
        die 'cannot make the keys' if $?;
    }
}


# The peers are one process, t/peers/peer --serve, which goes with the suite.

my ($service, $owner);

sub start_service {
    my $work = File::Temp::tempdir(CLEANUP => 1);

    $service = "$work/peer.sock";
    my $pid = fork() // die "cannot fork: $!";

    if ($pid == 0) {
        chdir $keys;
        open STDIN, '<', '/dev/null';
        exec "$peers/peer", '--serve', $service or POSIX::_exit(127);
    }

    $owner = [$$, $pid];

    for (1 .. 500) {
        return if -S $service;
        sleep 0.01;
    }

    die "$peers/peer does not start";
}

END {
    if ($owner && $owner->[0] == $$) {
        local $?;
        kill 'TERM', $owner->[1];
        waitpid $owner->[1], 0;
    }
}


# (whether it was refused, the output or the reason) of "A seal-request ..",
# or of an operation of t/peers/primitives.py

sub ask {
    my ($arguments, $data) = @_;

    my $sock = IO::Socket::UNIX->new(Peer => $service)
        or die "cannot connect to the peer: $!";

    my $query = JSON::PP->new->encode([split ' ', $arguments]) . "\n"
                . ($data // '');
    my $answer = '';

    while (length $query) {
        my $n = syswrite $sock, $query;
        die "cannot write to the peer: $!" if !defined $n;
        substr $query, 0, $n, '';
    }

    shutdown $sock, 1;
    1 while sysread $sock, $answer, 1 << 20, length $answer;

    my $refused = substr $answer, 0, 1, '';

    return ($refused ne '0', $answer);
}

# what it makes of the message, or what it is refused for

sub peer {
    my ($arguments, $data) = @_;

    my ($refused, $out) = ask($arguments, $data);
    die "$arguments: $out" if $refused;

    return $out;
}

sub peer_error {
    my ($refused, $out) = ask(@_);

    return $refused ? $out : undef;
}


# start_upstream() with what most suites need besides: /answer answers with
# what the header of answered_with() says, /app with the body it has got,
# /error with a status of 500, and /attack is below.

sub start_peers {
    return start_upstream(
        '/answer' => sub {
            my ($text) = shift->{head} =~ /^X-Answer: (\S*)/m;
            return json(unb64($text));
        },
        '/app' => fixed('%s'),
        '/error' => sub {
            return json('{"error":"try later", "n": 1.0 }  ',
                        '500 Internal Server Error');
        },
        '/attack' => \&attack,
        @_,
    );
}


# The provider opens a request and answers with what was in it:
# "answer" is its plain response, where %s stands for that.  A subscriber
# opens a webhook and answers with what it has got.

sub provider {
    my ($format, $options, $answer) = @_;

    return sub {
        my $request = shift;

        my ($refused, $plain)
            = opened("$format open-request --inner $options", $request);

        return refused($plain) if $refused;

        $plain = sprintf $answer, $plain if defined $answer;

        return json(peer("$format seal-response $options", $plain));
    };
}

sub subscriber {
    my ($format, $options) = @_;

    return sub {
        my $request = shift;

        my ($refused, $plain)
            = opened("$format open-webhook $options", $request);

        return $refused ? refused($plain) : json($plain);
    };
}

sub opened {
    my ($arguments, $request) = @_;

    my $data = $request->{body};

    if ($arguments =~ /\AF /) {
        my ($fields) = $request->{head} =~ /\r\n(.*)/s;
        $data = "$fields\r\n$data";
    }

    return ask($arguments, $data);
}

# an answer around the body that came, which %s stands for

sub fixed {
    my $answer = shift;

    return sub {
        my $request = shift;

        my $body = $answer;
        $body =~ s/%s/$request->{body}/;

        return json($body);
    };
}

sub json {
    my ($body, $status) = @_;

    $status //= '200 OK';

    return "HTTP/1.1 $status\r\nContent-Type: application/json\r\n"
           . 'Content-Length: ' . length($body) . "\r\n"
           . "Connection: close\r\n\r\n$body";
}

sub refused { json("peer refused: $_[0]", '400 Bad Request') }


# A handler that sends raw requests to the port in X-Port and tells how they
# were answered: each different answer (of its head all but the date) once,
# with the number of them, then the number of requests that came to /app.
# A block asks for it with a section, see attack_section().

sub attack {
    my $request = shift;

    my ($port) = $request->{head} =~ /^X-Port: (\d+)/m;
    my @requests = unpack '(N/a)*', $request->{body};
    my $before = requests_to_app();
    my (%count, @order);

    for my $raw (@requests) {
        my $answer = exchange($port, $raw);
        $answer =~ s/^Date: .*\r\n//m;
        push @order, $answer if !$count{$answer}++;
    }

    my $report = join '', map { summary($count{$_}, $_) } @order;
    my $arrived = requests_to_app() - $before;

    return http_ok("${report}application: $arrived\n",
                   "Content-Type: text/plain\r\n");
}

sub summary {
    my ($count, $answer) = @_;

    my ($head, $body) = split /\r\n\r\n/, $answer, 2;
    my ($status) = ($head // '') =~ m{\AHTTP/1.1 (\d+)};

    return "$count x " . ($status // 'nothing') . ' ' . ($body // '') . "\n";
}

sub exchange {
    my ($port, $raw) = @_;

    my $sock = IO::Socket::INET->new(PeerAddr => '127.0.0.1',
                                     PeerPort => $port, Timeout => 5)
        or return "cannot connect: $!";

    my $answer = '';

    syswrite $sock, $raw;
    1 while sysread $sock, $answer, 65536, length $answer;

    return $answer;
}

sub requests_to_app {
    return (split /\n/, Envelope::Upstream::kept('/app'))[0];
}

# "--- attack eval: [requests]" in a block; to be called by the suite's block
# preprocessor

sub attack_section {
    my $block = shift;

    my $requests = $block->attack // return;

    $block->set_value('raw_request', post('/attack', pack '(N/a)*',
                                                          @$requests));
    $block->set_value('timeout', 30);
}


# Requests.  post("/uri", body, "Name: value", ..) is to be sent raw: not a
# byte of the body changes on the way to nginx.

sub post {
    my ($uri, $body, @headers) = @_;

    return join "\r\n", "POST $uri HTTP/1.1", 'Host: localhost',
                'Connection: close', 'Content-Type: application/json',
                'Content-Length: ' . length $body, @headers, '', $body;
}

# a header that tells the upstream's /answer what to answer with

sub answered_with { 'X-Answer: ' . b64($_[0]) }


# JSON that nobody may write anew: all kinds of white space, numbers that a
# double cannot hold or that would lose their spelling, text of two, three and
# four bytes a character, escapes.  Without white space around it, so that it
# can be a member's value.

sub odd {
    return qq({ "a" : 1.0,\t"b":1e2, "n":123456789012345678901234567890 ,\r\n)
           . qq( "\xc5\xbdofie":"\\u00e9 \\"q\\" \\\\ \\/ \xe5\x8d\xa1 )
           . qq(\\ud83d\\ude00 \xf0\x9f\x98\x80", "z":-0.50e+7,)
           . qq("list":[ 1,2 ,{ } ],"x":null, "T":true ,"t\\u0062":"",)
           . qq("zero":-0 , "t":0.10})
}

# a JSON text of so many bytes

sub text_of_length {
    my $n = shift;

    return $n < 2 ? '1' x $n : '"' . 'x' x ($n - 2) . '"';
}


# what a stranger is told, word for word

sub unauthorized {
    return '{"type":"about:blank","title":"Unauthorized","status":401}';
}

sub bad_request {
    return '{"type":"about:blank","title":"Bad Request","status":400}';
}


# Configuration.  profile("name", "messages", NAME => "key file", ..): names
# of files without a slash are in $keys, "secret NAME" makes a secret, several
# files separated by "|" a ring.

our $http = <<'EOC';
    client_body_buffer_size 64k;
    envelope_max_response_size 8m;
    proxy_buffers 8 64k;
    proxy_http_version 1.1;
    proxy_set_header Connection close;
    log_format upstream '$request_uri $status upstream $upstream_addr';
    access_log $TEST_NGINX_SERVER_ROOT/logs/access.log upstream;
EOC

sub profile {
    my ($name, $messages, @sources) = @_;

    my $lines = '';

    while (my ($key, $files) = splice @sources, 0, 2) {
        $key = "key $key" if $key !~ / /;
        $lines .= "    $key " . (m{\A[^ ]*[/:]} ? $_ : "$keys/$_") . ";\n"
            for split /\|/, $files;
    }

    return "envelope_profile $name {\n$lines\n$messages}\n";
}

# "/uri ROLE:PROFILE /upstream/path" a line

sub locations {
    my $text = <<'EOC';
location = /attack {
    proxy_set_header Connection close;
    proxy_set_header X-Port $server_port;
    proxy_pass http://127.0.0.1:$TEST_NGINX_UPSTREAM_PORT/attack;
}
EOC

    for my $line (split /\n/, shift) {
        my ($uri, $role, $to) = split ' ', $line or next;
        $role =~ s/(.*):(.*)/envelope_$1 $2;/;
        $text .= "location = $uri {\n    $role\n    proxy_pass "
                 . "http://127.0.0.1:\$TEST_NGINX_UPSTREAM_PORT$to;\n}\n";
    }

    return $text;
}


copy_data();
start_service();

1;

# Stale and repeated messages: "fresh" and "once" in both workers, with
# messages that are signed here, as they are needed.  A refusal is told by its
# status, by what the application behind got, and by what the log says.

use Test::Nginx::Socket;
use Digest::SHA qw( hmac_sha256_hex );
use FindBin;
use lib "$FindBin::Bin/lib";
use POSIX qw( strftime );
use Time::HiRes qw( sleep time );
use Envelope::Upstream;
use Envelope::Drive;

our %problem = map { $_->[0] => qq({"type":"about:blank","title":"$_->[1]",)
                                . qq("status":$_->[0]}) }
    [400 => 'Bad Request'], [401 => 'Unauthorized'], [409 => 'Conflict'],
    [503 => 'Service Unavailable'];

start_upstream(
    '/app' => sub { http_ok('{"ok":true}') },
    '/judge' => sub { http_ok('') },
    '/mirror' => sub { http_ok('') },
    '/fails' => sub {
        "HTTP/1.1 500 Oops\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
    },
    '/resets' => sub { RESET },
    '/accel' => sub { http_ok('', "X-Accel-Redirect: /after\r\n") },
    '/answer' => sub {
        my ($text) = shift->{head} =~ /^X-Answer: (.*?)\r$/m;
        return http_ok($text);
    },
);


# a port that takes no connection, once its queue is full

our $stuck = IO::Socket::INET->new(LocalAddr => '127.0.0.1', Listen => 0)
    or die "listen: $!";
our $stuck_port = $stuck->sockport;


# Messages.  "id" is another one each time, unless it is given.

my $ids = 0;

sub id { 'id-' . $$ . '-' . ++$ids }

sub mac { hmac_sha256_hex($_[0], 'hush') }

sub post {
    my ($uri, $body, @headers) = @_;

    return join "\r\n", "POST $uri HTTP/1.1", 'Host: localhost',
                'Connection: close', 'Content-Length: ' . length $body,
                @headers, '', $body;
}

# of the profile "p", and those like it: "t" is JSON, its text is signed

sub message {
    my %o = (id => id(), t => int(time), @_);

    my $t = $o{t} =~ s/\A"(.*)"\z/$1/r;
    my $sig = $o{sig} // mac("$t.$o{id}");
    my $member = defined $o{member} ? $o{member} : qq("t":$o{t},);

    return qq({$member"id":"$o{id}","sig":"$sig"});
}

# each way to tell the time: (uri, message at that time, id)

sub timed {
    my ($way, $time) = @_;

    my $id = id();
    my $body = qq({"id":"$id"});

    return (post('/app', message(t => $time, id => $id)), $id)
        if $way eq 'number';
    return (post('/serve', message(t => qq("$time"), id => $id)), $id)
        if $way eq 'string';

    if ($way eq 'ms') {
        $time = int($time * 1000) + 500;
        return (post('/ms', $body, "x-time: $time",
                     'X-Sign: ' . mac("$time$body")), $id);
    }

    if ($way eq 'param') {
        return (post('/param', $body, "Stripe-Signature: t=$time,v1="
                     . mac("$time.$body")), $id);
    }

    my $meta = '{"at": "' . strftime('%Y-%m-%dT%H:%M:%S', gmtime $time + 28800)
               . '+08:00"}';
    return (post('/iso', qq({"id":"$id","meta":$meta,"sig":")
                 . mac($meta) . '"}'), $id);
}

# so that the second does not end before the message has come

sub early_in_a_second {
    my $rest = time - int(time);

    sleep 1.05 - $rest if $rest > 0.4 || $rest < 0.05;
}


# What became of it.

sub times_delivered {
    my $id = shift;

    return scalar grep { index($_, $id) >= 0 } kept_by('/app');
}

sub delivered {
    my ($id, $raw, $what) = @_;

    my $answer = ask($raw);

    check($answer->{status} == 200, "$what: $answer->{status}");
    check(times_delivered($id) == 1, "$what: not delivered once");
}

sub refused {
    my ($status, $reason, $id, $raw, $what) = @_;

    my $before = times_delivered($id);
    my $log = length logged();
    my $answer = ask($raw);
    my $line = substr logged(), $log;

    check($answer->{status} == $status, "$what: $answer->{status}");
    check($answer->{body} eq $problem{$status}, "$what: $answer->{body}");
    check($answer->{head} !~ /Retry-After/ || $status == 503,
          "$what: another header");
    check(times_delivered($id) == $before, "$what: it was delivered");
    check($line =~ /\[error\].* envelope: profile "\w+" \w+ \w+: $reason/,
          "$what: the log says $line");
}


# Scenarios of "fresh".

sub window {
    my $way = shift;

    my $reason = qr/fresh \S+: \S+ is/;
    my $unit = $way eq 'ms' ? 'ms' : 's';

    for my $age (0, 299, -299) {
        my ($raw, $id) = timed($way, int(time) - $age);
        delivered($id, $raw, "$age s old");
    }

    for my $age (301, 302, 3600, 864000) {
        my ($raw, $id) = timed($way, int(time) - $age);
        refused(401, qr/$reason \d+ $unit old, more than 300/, $id, $raw,
                "$age s old");
    }

    for my $age (301, 302, 3600, 864000) {
        early_in_a_second();
        my ($raw, $id) = timed($way, int(time) + $age);
        refused(401, qr/$reason \d+ $unit ahead, more than 300/, $id, $raw,
                "$age s ahead");
    }

    my ($raw, $id) = timed($way, 4102444800);
    refused(401, qr/$reason more than a year ahead/, $id, $raw, 'far ahead');
}

# signed as it ought to be, but with no time in it

sub malformed {
    my $now = int time;

    for my $t ("-$now", "$now.0", "1.7e9", '"' . sprintf('0x%x', $now) . '"',
               sprintf('"%x"', $now), '9223372036854775808',
               '9223372036854775807', '18446744073709551616',
               '"9223372036854775808"', qq("+$now"), qq("-$now"),
               qq(" $now"), qq("$now "), qq("$now.5"), '""', '"now"',
               '-9223372036854775808')
    {
        my $id = id();
        refused(401, qr/fresh t: t is not 1 to 18 decimal digits/, $id,
                post('/app', message(t => $t, id => $id)), "t is $t");
        refused(401, qr/fresh t: t is not 1 to 18 decimal digits/, $id,
                post('/serve', message(t => $t, id => $id)), "t is $t");
    }

    refused(401, qr/fresh t: t is more than a year old/, 'none',
            post('/app', message(t => 0)), 't is 0');

    for (['', qr/t is absent/], [qq("t":$now,"t":$now,), qr/"t" stands twice/],
         [qq("t":$now,"\\u0074":1,), qr/"t" stands twice/],
         ['"t":null,', qr/t is not a string or a number/],
         ['"t":true,', qr/t is not a string or a number/],
         [qq("t":[$now],), qr/t is not a string or a number/])
    {
        my ($member, $why) = @$_;
        my $id = id();
        refused(400, qr/fresh t: $why/, $id,
                post('/app', message(member => $member, id => $id)), $member);
    }
}

sub malformed_headers {
    my $ms = int(time * 1000);
    my $now = int time;
    my $send = sub { post('/ms', '{}', (map { "X-Time: $_" } @_),
                          'X-Sign: ' . mac("$_[0]\{}")) };
    my $stripe = sub { post('/param', '{}', map { "Stripe-Signature: $_" } @_) };

    for my $text (sprintf('0x%x', $ms), "$ms.0", "-$ms", "1e12", '') {
        refused(401, qr/fresh header:X-Time: header:X-Time is not 1 to 18/,
                'none', $send->($text), "X-Time: $text");
    }

    refused(400, qr/header:X-Time is absent/, 'none',
            post('/ms', '{}', 'X-Sign: ' . mac('{}')), 'no header');
    refused(400, qr/header:X-Time stands twice/, 'none', $send->($ms, $ms),
            'two headers');

    refused(400, qr/header:Stripe-Signature:t is absent/, 'none',
            $stripe->('v1=' . mac("$now.{}")), 'no param');
    refused(400, qr/header:Stripe-Signature:t stands twice/, 'none',
            $stripe->("t=1,t=$now,v1=" . mac("$now.{}")), 'two params');
    refused(400, qr/header:Stripe-Signature:t stands twice/, 'none',
            $stripe->("t=$now,v1=" . mac("$now.{}"), 't=1'), 'in two headers');

    for my $text ('2026-11-21', '2026-11-21T09:08:10', $now,
                  strftime('%Y-%m-%dT%H:%M:%S', gmtime), '',
                  strftime('%Y-%m-%d %H:%M:%SZ', gmtime))
    {
        my $meta = qq({"at":"$text"});
        refused(401, qr/fresh \S+: \S+ is not a date and time of RFC 3339/,
                'none', post('/iso', qq({"meta":$meta,"sig":") . mac($meta)
                             . '"}'), "at is $text");
    }

    my $meta = qq({"at":$now});
    refused(400, qr/fresh \S+: \S+ is not a string/, 'none',
            post('/iso', qq({"meta":$meta,"sig":") . mac($meta) . '"}'),
            'at is a number');
}

# a stranger cannot tell one from the other

sub alike {
    my $old = int(time) - 301;

    my @answers = map { ask(post('/app', $_)) }
        message(t => $old), message(sig => '00' x 32),
        message(t => $old, sig => '00' x 32), message(t => '"x"');

    check($_->{status} == 401 && $_->{body} eq $problem{401}
          && $_->{head} eq $answers[0]{head}, 'they differ') for @answers;
}

sub stale_answer {
    my $call = sub { ask(post('/call', '{}', 'X-Answer: ' . shift)) };

    my $answer = $call->(message());
    check($answer->{status} == 200, "a fresh answer: $answer->{status}");

    $answer = $call->(message(t => int(time) - 400));
    check($answer->{status} == 502, "a stale answer: $answer->{status}");
    check($answer->{body} =~ /"detail":"response: fresh t: t is 40\d s old, /,
          $answer->{body});
    check(logged() =~ /profile "answer" call response: fresh t: t is 40\d s old/,
          'the log does not say why');
}


# Scenarios of "once".

sub twice {
    for my $uri ('/app', '/serve') {
        my $id = id();
        my $raw = post($uri, message(id => $id));

        delivered($id, $raw, "$uri: the first");
        refused(409, qr/once id: its value came \d s ago/, $id, $raw,
                "$uri: the second") for 1 .. 3;

        # signed anew, it is the same event
        refused(409, qr/once id: its value came \d s ago/, $id,
                post($uri, message(id => $id, t => int(time) - 7)),
                "$uri: at another time");

        my $other = id();
        delivered($other, post($uri, message(id => $other)), "$uri: another");
    }

    # a name of its own in each profile and message

    my $id = id();
    check(ask(post($_, message(id => $id)))->{status} == 200, $_)
        for '/app', '/serve', '/other';
    check(times_delivered($id) == 3, 'they are not of one profile');
}

sub unverified {
    my $id = id();

    refused(401, qr/sign sig: the signature does not match/, $id,
            post('/app', message(id => $id, sig => '00' x 32)), 'forged')
        for 1 .. 3;
    refused(401, qr/fresh t: t is 40\d s old/, $id,
            post('/app', message(id => $id, t => int(time) - 400)), 'stale');
    refused(400, qr/fresh t: t is absent/, $id,
            post('/app', message(id => $id, member => '')), 'no time');

    delivered($id, post('/app', message(id => $id)), 'the real one');
    refused(409, qr/once id/, $id, post('/app', message(id => $id)), 'again');

    for (['"id":"",', qr/id is empty/], ['"id":null,', qr/id is not a string/],
         ['', qr/id is absent/], ['"id":[],', qr/id is not a string/])
    {
        my $now = int time;
        refused(400, qr/once id: $_->[1]/, 'none',
                post('/app', qq({$_->[0]"t":$now,"sig":") . mac("$now.")
                             . '"}'), $_->[0]);
    }
}

sub expiry {
    my $id = id();
    my $raw = post('/brief', message(id => $id));

    delivered($id, $raw, 'the first');
    refused(409, qr/once id/, $id, $raw, 'the second');
    sleep 2.1;
    check(ask($raw)->{status} == 200, 'it is remembered for too long');
    check(times_delivered($id) == 2, 'it was not delivered again');
    refused(409, qr/once id/, $id, $raw, 'marked anew');
}

# two values in a message: all of them are marked, or none

sub several {
    my $send = sub {
        my ($a, $b) = @_;
        post('/several', qq({"id":"$a","b":"$b","sig":") . mac("$a$b")
                         . '"}');
    };
    my ($a, $b) = (id(), id());

    delivered($a, $send->($a, $b), 'both are new');
    refused(409, qr/once b: its value came/, $b, $send->(my $c = id(), $b),
            'one of them has come');
    refused(409, qr/once id: its value came/, $a, $send->($a, my $d = id()),
            'the other has come');
    delivered($c, $send->($c, $d), 'they were not marked');
}

sub ring {
    my $id = id();
    my $now = int time;
    my $old = hmac_sha256_hex("$now.$id", 'old');

    delivered($id, post('/ring', message(id => $id, t => $now, sig => $old)),
              'under the second key');
    refused(409, qr/once id/, $id, post('/ring', message(id => $id)),
            'under the first');
}

sub copies {
    my $id = id();
    my $raw = post('/app', message(id => $id));
    my %pids;

    # which of the workers accepts is the kernel's affair

    for my $round (1 .. 100) {
        last if $round > 4 && keys %pids == 2;

        my $id = id();
        my @answers = ask_at_once((post('/app', message(id => $id))) x 50);
        my @good = grep { $_->{status} == 200 } @answers;
        my @bad = grep { $_->{status} == 409 } @answers;

        check(@good == 1 && @bad == 49, @good . ' good, ' . @bad . ' bad');
        check(times_delivered($id) == 1, 'not delivered once');

        /^X-Pid: (\d+)/m && $pids{$1}++ for map { $_->{head} } @answers;
    }

    check(keys %pids == 2, 'one worker had all of them, 100 times');
}

sub reloaded {
    my $id = id();
    my $raw = post('/app', message(id => $id));

    delivered($id, $raw, 'the first');
    reload();
    refused(409, qr/once id/, $id, $raw, 'after a reload');

    # another configuration, with the same profile in the same zone

    conf_file(conf_file() =~ s/within=1h/within=2h/gr);
    reload();
    refused(409, qr/once id/, $id, $raw, 'after a change');

    my $other = id();
    delivered($other, post('/app', message(id => $other)), 'a new one');
}

sub killed {
    my $id = id();
    my $raw = post('/app', message(id => $id));

    delivered($id, $raw, 'the first');
    kill_worker($_) for worker_pids();
    refused(409, qr/once id/, $id, $raw, 'after both workers were killed');

    # under load, each event several times

    my @events = map { id() } 1 .. 150;
    my $parent = $$;
    my $killer = fork // die "fork: $!";

    if ($killer == 0) {
        for (1 .. 6) {
            sleep 0.1;
            my @pids = worker_pids();
            kill 'KILL', $pids[rand @pids] if @pids;
        }
        POSIX::_exit(0);
    }

    my %answered;

    for my $event (@events) {
        my @answers = ask_at_once((post('/app', message(id => $event))) x 4);
        $answered{$event} = grep { $_->{status} == 200 } @answers;
    }

    { local $?; waitpid $killer, 0; }

    my %count;
    /(id-\d+-\d+)/ && $count{$1}++ for kept_by('/app');

    check(!(grep { ($count{$_} // 0) > 1 } @events), 'one was delivered twice');
    check(!(grep { $answered{$_} && !$count{$_} } @events),
          'one was answered and not delivered');
    check((grep { $answered{$_} } @events) > 100, 'next to none was answered');

    wait_for('workers', sub { worker_pids() == 2 });

    my $other = id();
    delivered($other, post('/app', message(id => $other)), 'a new one');
    refused(409, qr/once id/, $other, post('/app', message(id => $other)),
            'a new one again');
}

# what the sender has to be able to send again

sub not_passed_on {
    for my $uri ('/down', '/unknown', '/down/fallback') {
        my $id = id();
        my $raw = post($uri, message(id => $id));

        for my $n (1, 2) {
            my $status = ask($raw)->{status};
            check($status == 502 || $status == 503, "$uri $n: $status");
        }

        delivered($id, post('/app', message(id => $id)), "$uri: it is back");
        refused(409, qr/once id/, $id, $raw, "$uri: and again");
    }

    # one of two is down
    my $id = id();
    delivered($id, post('/half', message(id => $id)), 'the next one takes it');
    refused(409, qr/once id/, $id, post('/half', message(id => $id)), 'again');

    # an error page that was sent it, too
    $id = id();
    check(ask(post('/down/app', message(id => $id)))->{status} == 200,
          'the fallback');
    check(times_delivered($id) == 1, 'the fallback got it');
    refused(409, qr/once id/, $id, post('/app', message(id => $id)), 'again');
}

# the client does not wait for an upstream that does not answer a SYN

sub given_up {
    my $id = id();
    my $raw = post('/stuck', message(id => $id));

    my @full = map {
        IO::Socket::INET->new(PeerAddr => '127.0.0.1', PeerPort => $stuck_port,
                              Blocking => 0)
    } 1 .. 8;

    my $port = server_port_for_client();
    my $sock = IO::Socket::INET->new(PeerAddr => '127.0.0.1',
                                     PeerPort => $port) or die "connect: $!";
    syswrite $sock, $raw;
    sleep 0.3;
    refused(409, qr/once id/, $id, $raw, 'it is under way');
    close $sock;

    wait_for('499', sub { logged() =~ /client prematurely closed/ });
    sleep 0.2;
    delivered($id, post('/app', message(id => $id)), 'it is back');
}

# it may have been at work before it failed

sub passed_on {
    for (['/fails', 500], ['/resets', 502]) {
        my ($uri, $status) = @$_;
        my $id = id();
        my $answer = ask(post($uri, message(id => $id)));

        check($answer->{status} == $status, "$uri: $answer->{status}");
        refused(409, qr/once id/, $id, post('/app', message(id => $id)),
                "$uri: again");
    }
}

# within one request of a client, it is one message

sub own {
    my $time = sub {
        my $id = shift;
        my $now = int time;
        return ("X-Time: $now", "X-Id: $id", 'X-Sign: ' . mac("$now$id"));
    };

    for my $uri ('/header', '/asked', '/accel', '/mirrored', '/redirected') {
        my $id = id();
        my $raw = post($uri, qq({"id":"$id"}), $time->($id));
        my $answer = ask($raw);

        check($answer->{status} == 200, "$uri: $answer->{status}");
        check(times_delivered($id) == 1, "$uri: not delivered once");

        # auth_request knows no 409
        $answer = ask($raw);
        check($answer->{status} == ($uri eq '/asked' ? 500 : 409),
              "$uri again: $answer->{status}");
        check(times_delivered($id) == 1, "$uri again: delivered");
    }

    check(logged() =~ /once header:X-Id: its value came/, 'the log');
}

sub answers {
    my $call = sub { ask(post('/call', '{}', 'X-Answer: ' . shift)) };
    my $text = message();

    my $answer = $call->($text);
    check($answer->{status} == 200, "the first: $answer->{status}");

    $answer = $call->($text);
    check($answer->{status} == 502, "the second: $answer->{status}");
    check($answer->{body} =~ /"detail":"response: once id: its value came \d s ago"/,
          $answer->{body});
    check(logged() =~ /profile "answer" call response: once id: its value came/,
          'the log does not say why');
}

# The smallest zone there is: until no mark finds room.

sub filled {
    my ($uri) = @_;

    my ($n, @taken, $answer);

    for ($n = 0; $n < 100; $n++) {
        my @ids = map { id() } 1 .. 30;
        my @answers = ask_at_once(map { post($uri, message(id => $_)) } @ids);

        push @taken, map { $answers[$_]{status} == 200 ? $ids[$_] : () }
                         0 .. $#ids;

        ($answer) = grep { $_->{status} != 200 } @answers;
        last if $answer || logged() =~ /is full/;
    }

    check(@taken > 500 && $n < 100, @taken . ' were taken');

    return ($answer, @taken);
}

sub full_reject {
    my ($answer, @taken) = filled('/long');

    check($answer->{status} == 503, "full: $answer->{status}");
    check($answer->{body} eq $problem{503}, "full: $answer->{body}");
    check($answer->{head} =~ /^Retry-After: 1\r?$/m, "full: $answer->{head}");
    check(logged() =~ /\[error\].* profile "long" webhook webhook: once id: envelope_zone "tiny" is full, the message is refused/,
          'the log does not say so');

    # none of the others was pushed out, none that was refused is marked

    for my $id (@taken[0 .. 9, -10 .. -1]) {
        refused(409, qr/once id/, $id, post('/long', message(id => $id)),
                'one that was taken');
    }

    my $before = kept_by('/app');
    my %late;

    for (1 .. 30) {
        $late{$_->{status}}++
            for ask_at_once(map { post('/long', message()) } 1 .. 30);
    }

    check(($late{503} // 0) > 600, 'there is room');
    check(@{[ kept_by('/app') ]} - $before == ($late{200} // 0),
          'one was delivered');

    # other profiles are refused as well, unless they say otherwise

    check((grep { ask(post('/lax', message()))->{status} == 200 } 1 .. 20)
          == 20, 'full=accept is refused');
}

sub full_accept {
    my ($answer, @taken) = filled('/lax');

    check(!$answer, 'full=accept has refused');
    check(logged() =~ /\[crit\].* envelope: profile "lax" webhook: envelope_zone "tiny" is full, the message is accepted without a mark, \d+ so far/,
          'the log does not say so');
    check(logged() !~ /is refused/, 'it was refused');

    my $said = () = logged() =~ /is full/g;
    my $began = time;
    my %status;
    $status{ask(post('/lax', message()))->{status}}++ for 1 .. 200;
    my $more = (() = logged() =~ /is full/g) - $said;

    check(join(' ', %status) eq '200 200', 'not all were taken');
    check($more <= time - $began + 1, "it was said $more times");

    # what has a mark is still not taken twice
    refused(409, qr/once id/, $_, post('/lax', message(id => $_)), 'an old one')
        for @taken[0 .. 9];
}

# room comes back

sub full_again {
    my ($answer, @taken) = filled('/short');

    check($answer->{status} == 503, "full: $answer->{status}");
    sleep 12;

    my $n = grep { ask(post('/short', message()))->{status} == 200 } 1 .. 100;
    check($n == 100, "only $n of 100 found room");
}


our $text = <<'EOC';
fresh t within=300s;
once id within=%s;
sign sig = hs256 key=app over=<t>.<id> | hex;
EOC

sub both { described('webhook request', @_) }

sub described {
    my ($messages, $name, $statements, $secrets) = @_;

    $secrets //= 'secret app data:hush text;';

    return "envelope_profile $name {\n$secrets\n"
           . join('', map { "$_ {\n$statements}\n" } split ' ', $messages)
           . "}\n";
}

my $profiles = join '',
    both('p', sprintf $text, '1h'), both('other', sprintf $text, '1h'),
    described('response', 'answer', sprintf $text, '1h'),
    both('brief', "once id within=2s;\n"
         . 'sign sig = hs256 key=app over=<t>.<id> | hex;'),
    both('several', "once id within=1h;\nonce b within=1h;\n"
         . "sign sig = hs256 key=app over=<id><b> | hex;\n"),
    both('ring', sprintf($text, '1h'), 'secret app data:hush text;'
         . ' secret app data:old text;'),
    both('ms', "fresh header:X-Time within=5m unit=ms;\n"
         . "sign header:X-Sign = hs256 key=app over=<header:X-Time><body> | hex;\n"),
    both('param', "fresh header:Stripe-Signature:t within=300;\n"
         . "sign header:Stripe-Signature:v1 = hs256 key=app"
         . " over=<header:Stripe-Signature:t>.<body> | hex;\n"),
    both('iso', "fresh /meta/at within=5m unit=iso8601;\n"
         . "sign sig = hs256 key=app over=<meta> | hex;\n"),
    both('header', "fresh header:X-Time within=5m;\n"
         . "once header:X-Id within=1h;\nsign header:X-Sign = hs256 key=app"
         . " over=<header:X-Time><header:X-Id> | hex;\n"),
    map { my ($name, $once) = @$_;
          both($name, "once id $once;\n"
               . 'sign sig = hs256 key=app over=<t>.<id> | hex;') }
        ['long', 'within=1h full=reject'], ['lax', 'within=1h full=accept'],
        ['short', 'within=12s'];

add_block_preprocessor(sub {
    my $block = shift;

    return if !defined $block->drive;

    $block->set_value('http_config', ($block->http_config // '')
                      . $profiles . <<'EOC');
    proxy_http_version 1.1;
    proxy_set_header Connection close;

    upstream app { server 127.0.0.1:$TEST_NGINX_UPSTREAM_PORT; }
    upstream half { server 127.0.0.1:1; server 127.0.0.1:$TEST_NGINX_UPSTREAM_PORT; }
EOC

    my $locations = '';

    for (split /\n/, <<'EOC') {
/app webhook:p app/app
/serve serve:p app/app
/other webhook:other app/app
/call call:answer app/answer
/brief webhook:brief app/app
/several webhook:several app/app
/ring webhook:ring app/app
/ms webhook:ms app/app
/param serve:param app/app
/iso webhook:iso app/app
/long webhook:long app/app
/lax webhook:lax app/app
/short webhook:short app/app
/down webhook:p 127.0.0.1:1/app
/down/app webhook:p 127.0.0.1:1/app error_page 502 = @app
/down/fallback webhook:p 127.0.0.1:1/app error_page 502 /busy
/unknown webhook:p $host.invalid/app
/half webhook:p half/app
/stuck webhook:p 127.0.0.1:STUCK/app
/fails webhook:p app/fails
/resets webhook:p app/resets
/header webhook:header app/app
/accel webhook:header app/accel
/after webhook:header app/app internal
/asked webhook:header app/app auth_request /ask
/ask webhook:header app/judge proxy_set_header Content-Length ""
/mirrored webhook:header app/app mirror /mirror
/mirror webhook:header app/mirror
/redirected webhook:header 127.0.0.1:1/x error_page 502 = /after
EOC
        my ($uri, $role, $to, @more) = split;
        $role =~ s/:/ /;
        $to =~ s/STUCK/$stuck_port/;
        $locations .= "location = $uri {\n envelope_$role;\n"
                      . " proxy_pass http://$to;\n add_header X-Pid \$pid;\n"
                      . (@more ? " @more;\n" : '') . "}\n";
    }

    $block->set_value('config', $locations . <<'EOC');
location @app { proxy_pass http://app; rewrite ^ /app break; }
location = /busy { return 503; }
location = /plain { return 200 "plain\n"; }
EOC

    $block->set_value('request', 'GET /plain');
});

add_response_body_check(sub {
    my $block = shift;

    drive($block) if defined $block->drive;
});

master_on();
workers(2);
worker_connections(1024);
log_level('info');
no_long_string();
no_shuffle();

plan tests => repeat_each() * 75;

run_tests();

__DATA__

=== TEST 1: fresh: a number of seconds
--- drive: window number



=== TEST 2: fresh: a string, of a served request
--- drive: window string



=== TEST 3: fresh: milliseconds in a header
--- drive: window ms



=== TEST 4: fresh: one param of a header
--- drive: window param



=== TEST 5: fresh: a date and time in an object
--- drive: window iso



=== TEST 6: fresh: no time at all
--- drive: malformed



=== TEST 7: fresh: no time at all, in headers and dates
--- drive: malformed_headers



=== TEST 8: fresh: stale, forged and malformed are one answer
--- drive: alike



=== TEST 9: fresh: an answer to a call
--- drive: stale_answer



=== TEST 10: once: the second is refused
--- drive: twice



=== TEST 11: once: what is not verified marks nothing
--- drive: unverified



=== TEST 12: once: until it is forgotten
--- drive: expiry



=== TEST 13: once: several values in a message
--- drive: several



=== TEST 14: once: with any key of a ring
--- drive: ring



=== TEST 15: once: fifty copies at once over two workers
(under valgrind, which is slow, one worker may accept all of them)
--- skip_eval: 2: $ENV{TEST_NGINX_USE_VALGRIND}
--- drive: copies



=== TEST 16: once: survives a reload
--- drive: reloaded



=== TEST 17: once: survives killed workers
--- drive: killed



=== TEST 18: once: a message that reached no upstream may come again
--- drive: not_passed_on



=== TEST 19: once: nor does it matter that the sender gave up
--- drive: given_up



=== TEST 20: once: a message that reached one may not
--- drive: passed_on



=== TEST 21: once: auth_request, X-Accel-Redirect, mirror, error_page are the same request
--- drive: own



=== TEST 22: once: an answer to a call
--- drive: answers



=== TEST 23: once: a full zone refuses, and says so
--- http_config
    envelope_zone tiny:64k;
--- drive: full_reject



=== TEST 24: once: a full zone accepts if it is told to, and says so
--- http_config
    envelope_zone tiny:64k;
--- drive: full_accept



=== TEST 25: once: there is room again when marks have expired
--- http_config
    envelope_zone tiny:64k;
--- drive: full_again



=== TEST 26: a token leaves room for marks in the smallest zone
--- http_config
    envelope_zone tiny:64k;

    envelope_profile token {
        token { url http://127.0.0.1:1/; value /t; lifetime 1h; }
        webhook { once id within=1h; sign s = sha1 over=<id><secret:s> | hex; }
        secret s data:s text;
    }
--- config
    location /t { return 200 ok; }
    location /call { envelope_call token; }
    location /webhook { envelope_webhook token; }
--- request
GET /t
--- response_body: ok
--- no_error_log
[emerg]
[warn]



=== TEST 27: an address that nothing covers is warned of, where it is opened
--- http_config
    envelope_profile p {
        secret s data:s text;
        request {
            fresh header:T within=5m;
            sign header:S = hs256 key=s over=<body> | hex;
        }
        response { once id within=5m; }
    }
--- config
    location /t { return 200 ok; }
    location /serve { envelope_serve p; }
--- request
GET /t
--- response_body: ok
--- error_log
[warn]
envelope_profile "p": request: "fresh header:T": no signature, MAC or AEAD covers what it looks at, so whoever sends a message again can change it in
--- no_error_log
once id
--- suppress_stderr



=== TEST 28: what forgets before it is stale is warned of
--- http_config
    envelope_profile p {
        secret s data:s text;
        webhook {
            fresh t within=5m;
            once id within=5m;
            sign header:S = hs256 key=s over=<body> | hex;
        }
    }
--- config
    location /t { return 200 ok; }
    location /webhook { envelope_webhook p; }
    location /webhook/too { envelope_webhook p; }
--- request
GET /t
--- response_body: ok
--- grep_error_log eval
qr/\[warn\].*(?= in )/
--- grep_error_log_out eval
qr/\A\S+ \S+: envelope_profile "p": webhook: "once id": a message is "fresh" for longer than this remembers it; write within=601s or more\n\z/
--- suppress_stderr



=== TEST 29: a message that is sealed is not warned of, and needs no zone
--- http_config
    envelope_profile p {
        request { fresh t within=5m; once id within=5m; }
    }
--- config
    location /t { return 200 ok; }
    location /call { envelope_call p; }
--- request
GET /t
--- response_body: ok
--- no_error_log
[warn]
[emerg]



=== TEST 30: what is gone by the time it is looked at
--- http_config
    envelope_profile p {
        webhook {
            fresh t within=5m;
            set t $envelope_time;
        }
    }
--- config
--- must_die
--- error_log
[emerg]
envelope_profile "p": webhook: "fresh t": "t" is written by "set t" only later, move that up in



=== TEST 31: no time
--- http_config
    envelope_profile p {
        webhook { once id within=0; }
    }
--- config
--- must_die
--- error_log
[emerg]
envelope_profile "p": webhook: "once id within=0": "within=0" is not a time such as 300s or 5m in



=== TEST 32: another unit
--- http_config
    envelope_profile p {
        webhook { fresh t within=5m unit=us; }
    }
--- config
--- must_die
--- error_log
[emerg]
envelope_profile "p": webhook: "fresh t within=5m unit=us": "unit=us" should be "unit=s", "unit=ms" or "unit=iso8601" in

# The assertions.  How many a section counts for is part of the interface:
# suites plan with it.

package Test::Nginx::Standin::Check;

use strict;
use warnings;

use base 'Exporter';

use Digest::MD5 ();
use Digest::SHA ();
use JSON::PP ();
use Test::More ();

use Test::Nginx::Standin::Settings qw( %set section expand_env @body_checks );
use Test::Nginx::Standin::Server qw( bail_out log_lines access_lines );
use Test::Nginx::Standin::Client ();

our @PUBLIC = qw( is_str );
our @EXPORT = @PUBLIC;
our @EXPORT_OK = (@PUBLIC, qw(
    check_response check_error_log check_access_log check_shutdown_log
));


# Long strings are shown from shortly before where they part.

sub is_str (@) {
    my ($got, $expected, $what) = @_;

    return Test::More::like($got, $expected, $what)
        if ref $expected eq 'Regexp';

    return Test::More::is($got, $expected, $what)
        if $set{no_long_string} || !defined $got || !defined $expected
           || $got eq $expected;

    Test::More::fail($what);

    my $at = 0;
    my $shorter = length $got < length $expected ? length $got
                                                 : length $expected;
    $at++ while $at < $shorter
                && substr($got, $at, 1) eq substr($expected, $at, 1);

    Test::More::diag("         got: ", excerpt($got, $at), "\n",
                     "      length: ", length $got, "\n",
                     "    expected: ", excerpt($expected, $at), "\n",
                     "      length: ", length $expected, "\n",
                     "    they differ from character $at on");
    return 0;
}


sub excerpt {
    my ($text, $at) = @_;

    my $from = $at > 40 ? $at - 40 : 0;
    my $part = substr $text, $from, 200;
    my %names = ("\n" => '\n', "\r" => '\r', "\t" => '\t');

    $part =~ s/([\\"])/\\$1/g;
    $part =~ s/([\n\r\t])/$names{$1}/g;
    $part =~ s/([^\x20-\x7e])/sprintf '\x{%02x}', ord $1/eg;

    return ($from ? '...' : '') . "\"$part\""
           . (length $text > $from + 200 ? '...' : '');
}


# The expectation for one of several requests; several requests want several
# expectations.

sub expectation {
    my ($block, $name, $at) = @_;

    my $value = section($block, $name);

    if ($at->{many}) {
        bail_out($block->name,
                 " - several requests, but $name is not a list")
            if ref $value ne 'ARRAY';
        return $value->[$at->{request}];
    }

    return ref $value eq 'ARRAY' ? $value->[0] : $value;
}

sub has { defined section(@_) }


sub check_response {
    my ($block, $res, $at) = @_;

    check_code($block, $res, $at);
    check_raw_headers($block, $res, $at);
    check_headers($block, $res, $at);
    filter_body($block, $res, $at);
    check_body($block, $res, $at);
}


sub check_code {
    my ($block, $res, $at) = @_;

    my $what = $block->name . ' - status code ok';
    my $code = $res->{code} // '';

    if (has($block, 'error_code_like')) {
        my $like = expectation($block, 'error_code_like', $at);
        return Test::More::like($code, qr/$like/sm, $what);
    }

    my $expected = has($block, 'error_code')
                   ? expectation($block, 'error_code', $at) : 200;

    Test::More::is($code, $expected, $what);
}


sub check_raw_headers {
    my ($block, $res, $at) = @_;

    my $name = $block->name;
    my $raw = $res->{raw_headers};

    if (has($block, 'raw_response_headers_like')) {
        my $like = expectation($block, 'raw_response_headers_like', $at);
        Test::More::like($raw, qr/$like/s, "$name - raw resp headers like");
    }

    if (has($block, 'raw_response_headers_unlike')) {
        my $like = expectation($block, 'raw_response_headers_unlike', $at);
        Test::More::unlike($raw, qr/$like/s,
                           "$name - raw resp headers unlike");
    }
}


# "Name: value", or "!Name" for one that must not be there; of a name that
# stands there twice the last line counts

sub header_list {
    my $text = shift;

    my (@order, %value);

    for my $line (split /\n/, $text) {
        $line =~ s/\A\s+|\s+\z//g;
        my $absent = $line =~ s/\A!\s*//;
        my ($key, $value) = split /\s*:\s*/, $line, 2;
        next if !defined $key || $key eq '';

        push @order, $key if !exists $value{$key};
        $value{$key} = $absent ? undef : $value;
    }

    return map { [$_, $value{$_}] } @order;
}


sub check_headers {
    my ($block, $res, $at) = @_;

    my $name = $block->name;

    if (has($block, 'response_headers')) {
        my $text = expectation($block, 'response_headers', $at) // '';

        for (header_list($text)) {
            my ($key, $value) = @$_;

            if (!defined $value) {
                Test::More::unlike($res->{raw_headers}, qr/^\s*\Q$key\E\s*:/ms,
                    "$name - header $key not present in the raw headers");
                next;
            }

            Test::More::is(Test::Nginx::Standin::Client::header($res, $key)
                               // '',
                           server_ports($value), "$name - header $key ok");
        }

    } elsif (has($block, 'response_headers_like')) {
        my $text = expectation($block, 'response_headers_like', $at) // '';

        for (header_list($text)) {
            my ($key, $value) = @$_;
            $value //= '';
            Test::More::like(Test::Nginx::Standin::Client::header($res, $key)
                                 // '',
                             qr/^$value$/, "$name - header $key like ok");
        }
    }
}


sub server_ports {
    my $text = shift;

    return $text if !defined $text || ref $text;

    $text =~ s/\$ServerPortForClient\b/$set{client_port}/g;
    $text =~ s/\$ServerPort\b/$set{port}/g;

    return $text;
}


my %filters = (
    md5_hex  => \&Digest::MD5::md5_hex,
    sha1_hex => \&Digest::SHA::sha1_hex,
    uc       => sub { uc $_[0] },
    lc       => sub { lc $_[0] },
    ucfirst  => sub { ucfirst $_[0] },
    lcfirst  => sub { lcfirst $_[0] },
    length   => sub { length $_[0] },
);

sub filter_body {
    my ($block, $res, $at) = @_;

    my $list = section($block, 'response_body_filters') // return;

    $list = [split ' ', $list] if !ref $list;
    $list = [$list] if ref $list ne 'ARRAY';
    $list = $list->[$at->{request}] if ref $list->[0] eq 'ARRAY';

    for my $filter (@$list) {
        my $code = ref $filter eq 'CODE' ? $filter : $filters{$filter};
        bail_out($block->name, " - unknown response_body_filters $filter")
            if !$code;
        $res->{content} = $code->($res->{content});
    }
}


sub check_body {
    my ($block, $res, $at) = @_;

    my $name = $block->name;
    my $body = $res->{content};

    if (has($block, 'response_body')) {
        if (has($block, 'response_body_json_sort')) {
            my $json = JSON::PP->new->canonical(1)->loose(1);
            my $data = eval { $json->decode($body) };
            $body = $json->encode($data) . "\n" if defined $data;
        }

        my $expected = expand_env(
            server_ports(expectation($block, 'response_body', $at)),
            $name, $at->{ports});
        my $which = "(repeated req $at->{repeat}, req $at->{request})";

        if (ref $expected) {
            Test::More::like($body, $expected,
                             "$name - response_body - like $which");
        } else {
            is_str($body, $expected,
                   "$name - response_body - response is expected $which");
        }

    } elsif (has($block, 'response_body_like')) {
        my $like = server_ports(expectation($block, 'response_body_like',
                                            $at));
        Test::More::like($body, qr/$like/s,
            "$name - response_body_like - response is expected ("
            . summary($body) . ')');

    } elsif (has($block, 'response_body_unlike')) {
        my $like = server_ports(expectation($block, 'response_body_unlike',
                                            $at));
        Test::More::unlike($body, qr/$like/s,
            "$name - response_body_unlike - response is expected ("
            . summary($body) . ')');
    }

    $_->($block, $body, $at->{request}, $at->{repeat}, 0) for @body_checks;
}


sub summary {
    my $text = shift;

    $text =~ s/\s+/ /g;
    $text =~ s/\A | \z//g;
    $text =~ s/[^\x20-\x7e]/./g;

    return length $text > 200 ? substr($text, 0, 200) . '..' : $text;
}


# A text of one pattern a line, a list or a regular expression.

sub patterns {
    my $value = shift;

    return ref $value eq 'ARRAY' ? grep { defined } @$value : $value
        if ref $value;

    chomp $value;
    return split /\n+/, $value;
}

sub matches {
    my ($line, $pattern) = @_;

    return ref $pattern ? $line =~ $pattern : index($line, $pattern) >= 0;
}


sub must_match {
    my ($lines, $value, $name, $where) = @_;

    for my $pattern (patterns($value)) {
        my $found = grep { matches($_, $pattern) } @$lines;
        Test::More::ok($found, "$name - pattern \"$pattern\" "
                       . ($found ? 'matches' : 'should match')
                       . " a line in $where");
    }
}

sub must_not_match {
    my ($lines, $value, $name, $where) = @_;

    for my $pattern (patterns($value)) {
        my ($found) = grep { matches($_, $pattern) } @$lines;
        Test::More::ok(!defined $found, "$name - pattern \"$pattern\" "
                       . (defined $found ? 'should not' : 'does not')
                       . " match a line in $where");

        if (defined $found) {
            chomp $found;
            Test::More::diag("    it matches: $found");
        }
    }
}


sub check_error_log {
    my ($block, $at) = @_;

    my $name = $block->name;
    my $lines = log_lines();
    my $where = "error.log (req $at->{repeat})";

    check_grep($block, $lines, $at);

    must_match($lines, section($block, 'error_log'), $name, $where)
        if has($block, 'error_log');

    must_not_match($lines, section($block, 'no_error_log'), $name, $where)
        if has($block, 'no_error_log');

    # not counted, but not hidden either, unless the block deals with it
    my $text = join "\n", map { patterns(section($block, $_) // '') }
                              qw( error_log no_error_log );

    for my $level (qw( alert crit emerg )) {
        next if index($text, "[$level") >= 0;
        warn map { "WARNING: $name - $_" } grep { /\[$level\]/ } @$lines
            if grep { /\[$level\]/ } @$lines;
    }
}


sub check_grep {
    my ($block, $lines, $at) = @_;

    my $name = $block->name;
    my $pattern = section($block, 'grep_error_log');
    my $expected = section($block, 'grep_error_log_out');

    bail_out("$name - grep_error_log and grep_error_log_out need each other")
        if defined $pattern != defined $expected;

    $pattern = $pattern->[$at->{repeat}] if ref $pattern eq 'ARRAY';
    return if !defined $pattern;

    $expected = $expected->[$at->{repeat}] if ref $expected eq 'ARRAY';
    $expected = expand_env($expected, $name, $at->{ports});

    my $got = '';
    for my $line (@$lines) {
        my $regex = ref $pattern ? $pattern : qr/\Q$pattern\E/;
        $got .= "$&\n" if $line =~ $regex && $& !~ /\n/;
    }

    is_str($got, $expected,
           "$name - grep_error_log_out (req $at->{repeat})");
}


sub check_access_log {
    my ($block, $at) = @_;

    my $name = $block->name;
    my $where = "access.log (req $at->{repeat})";

    return if !has($block, 'access_log') && !has($block, 'no_access_log');

    my $lines = access_lines();

    must_match($lines, section($block, 'access_log'), $name, $where)
        if has($block, 'access_log');

    must_not_match($lines, section($block, 'no_access_log'), $name, $where)
        if has($block, 'no_access_log');
}


# what nginx logged while it was shut down

sub check_shutdown_log {
    my $block = shift;

    my $name = $block->name;

    return if !has($block, 'shutdown_error_log')
              && !has($block, 'no_shutdown_error_log');

    my $lines = log_lines();

    must_match($lines, section($block, 'shutdown_error_log'), $name,
               'error.log')
        if has($block, 'shutdown_error_log');

    must_not_match($lines, section($block, 'no_shutdown_error_log'), $name,
                   'error.log')
        if has($block, 'no_shutdown_error_log');
}

1;

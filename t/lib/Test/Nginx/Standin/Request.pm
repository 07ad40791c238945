# From the sections of a block to the bytes of its requests: a list of
# requests, each a list of pieces { value => BYTES, delay_before => SECONDS }.

package Test::Nginx::Standin::Request;

use strict;
use warnings;

use base 'Exporter';

use Test::Nginx::Standin::Settings qw( %set section expand_env );
use Test::Nginx::Standin::Server qw( bail_out );

our @EXPORT_OK = qw( requests_of );


sub requests_of {
    my ($block, $ports) = @_;

    my $raw = section($block, 'raw_request');

    return [[ map { { value => $_ } } ref $raw ? @$raw : $raw ]]
        if defined $raw;

    my $pipelined = section($block, 'pipelined_requests');

    return [[ { value => pipeline($block, $pipelined, $ports) } ]]
        if $pipelined;

    my $request = section($block, 'request');

    if (!defined $request) {
        bail_out($block->name, ' - no request');
    }

    if (!ref $request) {
        # comments and empty lines in front of the request line
        1 while $request =~ s/\A(?:\s*#[^\n]+\s+|\s+)//;
        $request = [$request];
    }

    my @requests;

    for my $i (0 .. $#$request) {
        push @requests, one_request($block, $request->[$i],
                                    more_headers($block, $i));
    }

    return \@requests;
}


sub pipeline {
    my ($block, $list, $ports) = @_;

    my $name = $block->name;
    my $bytes = '';

    bail_out("$name - pipelined_requests must be a list")
        if ref $list ne 'ARRAY';

    for my $i (0 .. $#$list) {
        my $request = expand_env($list->[$i], $name, $ports);
        my $connection = $i == $#$list ? 'close' : 'keep-alive';
        my ($piece) = build($name, more_headers($block, $i), $connection,
                            $request);
        $bytes .= $piece;
    }

    return $bytes;
}


# a request given in pieces: strings, or hashes with a delay

sub one_request {
    my ($block, $request, $headers) = @_;

    my $name = $block->name;
    my @given = ref $request ? @$request : $request;
    my @values = map { ref $_ ? $_->{value} : $_ } @given;
    my @pieces = build($name, $headers, 'close', @values);

    return [ map {
                 { ref $given[$_] ? %{ $given[$_] } : (),
                   value => $pieces[$_] }
             } 0 .. $#pieces ];
}


# one text for all requests, or a list with one for each

sub more_headers {
    my ($block, $i) = @_;

    my $more = section($block, 'more_headers') // '';

    if (ref $more) {
        $more = $more->[$i]
            // bail_out($block->name, " - more_headers lacks number $i");
    }

    my %headers = (text => '', chunked => 0);

    for my $line (split /\n+/, $more) {
        next if $line =~ /\A\s*#/;

        my ($key, $value) = split /:\s*/, $line, 2;
        next if !defined $key;
        $value //= '';
        $value =~ s/\r\z//;

        $headers{chunked} = 1
            if lc $key eq 'transfer-encoding' && $value eq 'chunked';
        $headers{text} .= "$key: $value\r\n";
    }

    return \%headers;
}


# "METHOD [URI [VERSION]]", a newline, the body.  The pieces that come out
# are cut where those that went in were.

sub build {
    my ($name, $headers, $connection, @pieces) = @_;

    my $text = join '', @pieces;

    $text =~ /\A(\s*)(\S+)(?:([ ]+)(\S+))?(?:([ ]+)(\S+))?[ ]*(?:\r?\n|\z)/
        or bail_out("$name - bad request line: ", $text =~ /\A(.*)/);

    # what the request has and where: [start, text as it is sent]
    my @parts = ([$-[2], $2],
                 [$-[4] // $+[2], defined $4 ? $4 : '/'],
                 [$-[6] // $+[4] // $+[2], defined $6 ? $6 : 'HTTP/1.1']);
    my $body_at = $+[0];
    my $body = substr $text, $body_at;

    my $length = '';
    if (!$headers->{chunked} && $body ne ''
        && $headers->{text} !~ /^Content-Length:/m)
    {
        $body =~ s/\A\s+|\s+\z//g;
        $length = 'Content-Length: ' . length($body) . "\r\n";
    }

    my $head = '';
    $head .= "Host: $set{server_name}\r\n"
        if $headers->{text} !~ /^Host:/mi;
    $head .= "Connection: $connection\r\n"
        if $headers->{text} !~ /^Connection/mi;
    $head .= "$headers->{text}$length\r\n";

    my $out = '';
    my @map;

    for my $i (0 .. 2) {
        push @map, [$parts[$i][0], length $out, length $parts[$i][1]];
        $out .= $parts[$i][1] . ($i < 2 ? ' ' : "\r\n");
    }

    $out .= $head;
    push @map, [$body_at, length $out, length $body];
    $out .= $body;

    return cut($out, \@map, @pieces);
}


sub cut {
    my ($out, $map, @pieces) = @_;

    my ($at, $done, @result) = (0, 0);

    for my $i (0 .. $#pieces - 1) {
        $at += length $pieces[$i];

        # the last part that starts in front of the cut
        my $to = 0;
        for my $part (@$map) {
            my ($from, $start, $len) = @$part;
            next if $from > $at;
            my $into = $at - $from;
            $to = $start + ($into < $len ? $into : $len);
        }

        $to = $done if $to < $done;
        push @result, substr $out, $done, $to - $done;
        $done = $to;
    }

    return (@result, substr $out, $done);
}

1;

# Runs unit test programs and suites one after the other, sums them up and
# fails when any failed or none ran.  t/run calls it; prove would do, but for
# the closing line.

use strict;
use warnings;

use TAP::Harness ();
use TAP::Parser::Aggregator ();

my $verbose = @ARGV && $ARGV[0] eq '-v' ? shift : '';

die "no tests\n" if !@ARGV;

my $harness = TAP::Harness->new({
    verbosity => $verbose ? 1 : 0,
    color     => -t STDOUT ? 1 : 0,

    # A suite runs by perl, which is the default; a program as it is, or by
    # what UNIT_EXEC says; a script of others' code as it is.
    exec      => sub {
        my $file = $_[1];

        return undef if $file =~ /\.t\z/;
        return [$file] if is_script($file);
        return [split(' ', $ENV{UNIT_EXEC} // ''), $file];
    },
});

sub is_script {
    my $file = shift;

    open my $fh, '<:raw', $file or die "cannot open $file: $!\n";
    read $fh, my $start, 2;

    return $start eq '#!';
}

my $result = TAP::Parser::Aggregator->new;

# A suite that bails out ends it all, but what ran so far is still told.

$result->start;
my $ended = eval { $harness->aggregate_tests($result, @ARGV); 1 };
my $bailed = $@;
$result->stop;
$harness->summary($result);
print STDERR $bailed if !$ended;

# A file that died, or ran other tests than it had planned, failed even where
# each single assertion passed.

my $failed = $ended ? 0 : 1;

for my $parser ($result->parsers) {
    my @tests = $parser->failed;

    $failed += @tests ? @tests : $parser->has_problems ? 1 : 0;
}

my $passed = $result->passed - $result->skipped;

printf "%d skipped\n", scalar $result->skipped if $result->skipped;
printf "%d passed, %d failed\n", $passed, $failed;

exit($failed || !$passed ? 1 : 0);

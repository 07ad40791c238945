# A small stand-in for Test::Nginx::Socket, which comes from CPAN and is in no
# Debian package: it reads the same suites, counts the same tests and needs
# only Debian's libtest-base-perl.  t/run takes the real one where it is
# installed.
#
# What is here behaves as the real module's documentation has it, quirks that
# suites can feel included (the body of "--- request" is trimmed, a list of
# requests wants a list of expectations, error_log is matched after every
# request).  Sections that the real module knows and this one does not are an
# error, never ignored; see %unsupported in Standin/Server.pm.
#
# Beyond the real module: a report of a sanitizer and a worker killed by a
# signal that means a crash fail the suite.

package Test::Nginx::Socket;

use v5.10.1;
use Test::Base -Base;

use Test::Nginx::Standin::Settings;
use Test::Nginx::Standin::Server;
use Test::Nginx::Standin::Runner;

our $VERSION = 'stand-in';

our @EXPORT = (@Test::Nginx::Standin::Settings::PUBLIC,
               @Test::Nginx::Standin::Server::PUBLIC,
               @Test::Nginx::Standin::Runner::PUBLIC);

1;

# The table of attacks: each threat a named test over raw sockets, tens of
# thousands of messages.  t/peers/attack.py speaks TAP itself and starts its
# own nginx; by hand, "t/peers/attack.py --only 'threat 8' -v" runs a part.

use strict;
use warnings;

use FindBin;

exec '/usr/bin/python3', "$FindBin::Bin/peers/attack.py"
    or die "cannot run python3: $!";

"""All mutants, by what they are defects of."""

from typing import Final

from proof.mutants.catalogue.access import ACCESS
from proof.mutants.catalogue.allowances import ALLOWANCES
from proof.mutants.catalogue.bookings import BOOKINGS
from proof.mutants.catalogue.holds import HOLDS
from proof.mutants.catalogue.lanes import LANES
from proof.mutants.catalogue.locks_and_seats import LOCKS_AND_SEATS
from proof.mutants.catalogue.mail_and_audit import MAIL_AND_AUDIT
from proof.mutants.catalogue.organisers import ORGANISERS
from proof.mutants.catalogue.reads import READS
from proof.mutants.catalogue.rude import RUDE
from proof.mutants.catalogue.sales import SALES
from proof.mutants.catalogue.schema import SCHEMA
from proof.mutants.catalogue.streams import STREAMS
from proof.mutants.catalogue.waitlist import WAITLIST
from proof.mutants.mutant import Mutant

MUTANTS: Final[tuple[Mutant, ...]] = (
    *LOCKS_AND_SEATS,
    *HOLDS,
    *BOOKINGS,
    *WAITLIST,
    *ORGANISERS,
    *SCHEMA,
    *LANES,
    *ACCESS,
    *ALLOWANCES,
    *RUDE,
    *READS,
    *SALES,
    *STREAMS,
    *MAIL_AND_AUDIT,
)

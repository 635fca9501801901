"""Problems the doctor knows: name, check, severity, cause and next step of each; findings are made of them.

``{}`` in a text stands for what was found. No text holds a secret or a person's data.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from ...exceptions import ConfigurationError
from ..warehouses import MISSING


class Severity(StrEnum):
    """How much a finding matters."""

    ERROR = "error"
    """Something does not work, or costs money or verdicts."""
    WARNING = "warning"
    """It works, and will not always."""


@dataclass(frozen=True)
class Problem:
    """
    A problem.

    :param name: identifies it.
    :param check: name of the check that finds it.
    :param severity: how much it matters.
    :param cause: what is wrong, a template.
    :param remedy: what to do, a template.
    """

    name: str
    check: str
    severity: Severity
    cause: str
    remedy: str


@dataclass(frozen=True)
class Finding:
    """
    A problem that was found.

    :param problem: its name.
    :param check: the check that found it.
    :param severity: how much it matters.
    :param cause: what is wrong.
    :param remedy: what to do.
    """

    problem: str
    check: str
    severity: Severity
    cause: str
    remedy: str


def found(name: str, *, check: str = "", **facts: object) -> Finding:
    """
    Return a finding.

    :param name: of the problem.
    :param check: that finds it, of a problem that any of them may find.
    :param facts: what its templates ask for.
    """
    known = PROBLEMS[name]
    return Finding(
        name,
        check or known.check,
        known.severity,
        known.cause.format(check=check, **facts).rstrip("."),
        known.remedy.format(check=check, **facts).rstrip("."),
    )


def found_wrong(name: str, check: str, error: ConfigurationError) -> Finding:
    """
    Return a finding about a connection that cannot be used, or whose extra is missing.

    :param name: of the problem, unless an extra is missing.
    :param check: that finds it.
    """
    if MISSING in str(error):
        return found("extra_missing", check=check, message=error)
    return found(name, message=error)


def _table(text: str) -> Mapping[str, Problem]:
    """Read blocks of four lines: name, check and severity; cause; remedy; nothing."""
    problems = {}
    for block in text.strip().split("\n\n"):
        head, cause, remedy = block.split("\n")
        name, check, severity = head.split()
        problems[name] = Problem(name, check, Severity(severity), cause, remedy)
    return problems


PROBLEMS = _table("""
dependency_wrong versions error
{requirement} is needed here, and {installed}
Install it with Airflow's constraints on every worker: pip install '{requirement}'

option_unknown configuration error
Airflow's configuration, [faceid]: unknown option {words}
Correct the name in airflow.cfg or in the environment; docs/configuration.md has all options

section_misspelt configuration error
Airflow's configuration has the section [{section}], which nothing reads; {hint}
Rename it; an environment variable begins with AIRFLOW__FACEID__

option_value configuration error
An option has a wrong value: {message}
Correct the option in airflow.cfg or in the environment, on all machines

folder_missing configuration warning
[faceid] {option} names {root}, which is no folder of this host that can be read, by its whole path
Create or mount it on {readers}, or correct the option; run the doctor there

folder_connection configuration error
[faceid] {option} names {root}, whose connection '{conn_id}' does not exist
Create the connection, or correct the option

certificates_missing configuration error
The environment variable {variable} names a file of certificates that is not there, so that no TLS connection can be made
Correct or unset {variable} where tasks run

connection_missing connection error
Connection '{conn_id}' does not exist{hint}
Create it in Admin > Connections, type Tencent Cloud Face ID, or name another one with --faceid-conn-id

connection_unreadable connection error
Connection '{conn_id}' is set by the environment variable {variable}, which is neither a connection in JSON nor a URI
Correct the variable: {{"conn_type": "faceid", "login": ..., "password": ..., "extra": {{...}}}}; no value of it is shown here

connection_type connection error
Connection '{conn_id}' is of type '{type}', and Face ID needs one of type 'faceid'
Change its type to Tencent Cloud Face ID, or name another one with --faceid-conn-id

connection_wrong connection error
A field is wrong: {message}
Correct it in Admin > Connections; docs/connection.md has all fields

hash_key_missing connection error
Connection '{conn_id}' has keys that are temporary, or not its own, and no hash key: nothing is sent, because under the next key no earlier answer would be found and each person be paid for again
Enter 16 or more random characters as Hash key (hash_secret), the same in all connections of the account, and keep it

transport_plain connection warning
Connection '{conn_id}' uses plain HTTP to {host}: names, numbers and photos can be read on the network path
Empty the Endpoint or begin it with https://

certificate_unchecked connection warning
Connection '{conn_id}' does not verify the TLS certificate: another host can impersonate the service
Switch 'verify' on; for a certificate of your own set REQUESTS_CA_BUNDLE

region_unknown connection warning
Connection '{conn_id}' names the region '{region}', which is none of those on its API pages{hint}
Empty the field Region, which no Action needs, or correct it

key_refused service error
The key is refused: {message}
Enter SecretId and SecretKey of a valid API key, or mend where keys come from; the console has keys and their state

endpoint_unreachable service error
The endpoint cannot be reached: {message}
Check the Endpoint of connection '{conn_id}', and DNS, proxy and firewall between this host and it

encryption_wrong service error
The service cannot decrypt: {message}
Correct Encryption and its key in connection '{conn_id}': they are those of the account; docs/connection.md#encrypted-fields

endpoint_wrong service error
The endpoint does not answer as Face ID does: {message}
Empty the Endpoint of connection '{conn_id}' for the service's own, or correct it; see docs/connection.md

account_refused service error
The account may not call: {message}
Put the account in order in the console: arrears, activation of Face ID, the policy of the key

service_away service warning
The service does not answer now: {message}
Try again in a minute; if it stays, ask the provider of the endpoint

clock_off clock error
This machine's clock is {seconds} s {way} the service's; from 300 s on the service refuses signatures
Set the clock of this machine by NTP (timedatectl set-ntp true), also of the other workers

clock_drifts clock warning
This machine's clock is {seconds} s {way} the service's
Set the clock of this machine by NTP (timedatectl set-ntp true) before it is five minutes

database_clock_off state_store warning
The clock of the state store's server is {seconds} s {way} this machine's
Set both clocks by NTP

state_connection_wrong state_store error
No state store can be behind this connection: {message}
Correct state_conn_id, of the Face ID connection or in section [faceid], or its connection

state_away state_store error
The state store does not answer: {message}
Check the state connection '{conn_id}', its database and the network; nothing is sent without the state store

state_read_only state_store error
The state store {place} cannot be written: {reason}
Let the user of the workers write it: {grant}. Nothing is sent until then

state_busy state_store warning
The state store {place} is locked by another process for longer than any step of ours takes
Look which process has it open (lsof, fuser): one that is stopped keeps its lock; all tasks wait for it

state_damaged state_store error
The state store {place} is damaged, or no SQLite file: {reason}
Stop all tasks and restore a copy, as docs/reliability.md#backing-it-up says; an empty one in its place pays for all again

state_on_one_host state_store error
{executors} may run tasks on several hosts, and the state store is the SQLite file {place} of this host: each host would keep a pace and a ledger of its own, exceed the quota together and pay for the same question again
Create a PostgreSQL database, and name its connection as state_conn_id in the Face ID connection or in section [faceid]

state_on_network_disk state_store error
The state store {place} is a SQLite file on a network file system ({type}), where its locks and its journal do not hold
Move it to a disk of this host, or use PostgreSQL: name its connection as state_conn_id

disk_full state_store error
The disk of the state store {place} has {free} MB left; a million calls a day need about 500 MB a day
Make room, or lower keep_answers_days; a run stops before a call that it cannot write down

state_newer state_store error
The state store is of version {version}, newer than this provider knows ({known})
Install the version of airflow-provider-faceid that wrote it on all workers

state_older state_store warning
The state store is of version {version}, and this provider's is {known}: the first task brings it up to date, after which earlier versions refuse it
Back it up, upgrade all workers at once, then run a task; see docs/upgrading.md

state_connections state_store warning
{limit} allows {most} connections to the state store, and [core] parallelism lets {tasks} tasks run at once, each of which needs one or more
Raise it ({how}), lower [core] parallelism, or put pgbouncer before it

state_stores_two state_store warning
Connection '{conn_id}' names the state store '{own}', and section [faceid] names '{general}': pages and other connections look at another store than this one's calls
Name one state store for all connections of the account

warehouse_connection_wrong warehouse error
No warehouse can be behind this connection: {message}
Correct the connection, or name another one with --warehouse-conn-id or in [faceid] pages_warehouses

warehouse_away warehouse error
A warehouse cannot be opened or read: {message}
Check connection '{conn_id}', its database and the network

warehouse_busy warehouse warning
A warehouse is open elsewhere: {message}
Another process has the file open, and only one at a time can: run the doctor again when no task writes

warehouse_read_only warehouse error
Tables behind connection '{conn_id}' cannot be written: {reason}
Grant its user {rights}, or name a connection that may write as warehouse_conn_id; a run stops before its first call until then

warehouse_on_one_host warehouse warning
{executors} may run tasks on several hosts, and connection '{conn_id}' is a file of this host: tasks elsewhere would write another one
Keep results in a database that all workers reach

tables_old warehouse warning
Tables behind connection '{conn_id}' are of an earlier version: {tables}
Back them up, upgrade all workers, and let one run bring them up to date; its user needs to own them. See docs/upgrading.md

tables_newer warehouse error
Tables are of a newer version: {message}
Install the version of airflow-provider-faceid that wrote them on all workers

provider_older warehouse warning
Tables behind connection '{conn_id}' were written by version {version} of this provider, and {own} is installed here
Install one version on all workers

quota_exceeded warehouse warning
The service refused {share} % of the calls of the latest runs behind connection '{conn_id}' as too fast: {actions}
Enter the account's true quota in the connection, or find the other programs, consoles or state stores that use it

tables_foreign warehouse error
Table '{table}' behind connection '{conn_id}' is not one of ours, or lacks columns: {columns}
Name other tables in the operators and in [faceid] pages_warehouses, or rename it

views_missing warehouse warning
Views behind connection '{conn_id}' are missing: {views}
FaceIdViewsOperator, or the next run, makes them; if not, the log says why: mostly the right to create views

encoding_narrow warehouse warning
The database behind connection '{conn_id}' cannot hold Chinese text: its encoding is none of Unicode
Use a database in UTF-8 for results; descriptions and campaigns in Chinese are refused otherwise

hash_key_changed warehouse error
The latest runs of {campaigns} behind connection '{conn_id}' hashed people with another key than connection '{faceid}' has now: nobody would be known again, and each person be paid for again
Enter the earlier key as Hash key (hash_secret); if it is lost, set max_charged for the next run

hash_keys_alternate warehouse error
Runs of {campaigns} behind connection '{conn_id}' hash people with different keys in turn: what one worker paid for, the other does not find
Enter one Hash key (hash_secret) on all workers and in all connections of the account

price_expired warehouse warning
The price of {actions} has expired, so that later calls cost nothing in reports: '{table}' behind connection '{conn_id}'
Write the present price, with currency and valid_from, by price_list of FaceIdViewsOperator

price_missing warehouse warning
There are prices, but none of {actions}, which was charged: '{table}' behind connection '{conn_id}'
Add its price, with currency, to price_list of FaceIdViewsOperator

price_currency warehouse warning
A price has no currency: {actions}, in '{table}' behind connection '{conn_id}'
Write the price with its currency, such as USD

uplink_slow uplink warning
The uplink of this host {carries} {rate} MB/s: {photos} photos/s of {kilobytes} kB in place of {wanted}{when}
Photos take that much longer, none is lost or held: use a faster line or smaller photos, or let workers elsewhere upload them; --photo-rate says how many a second are enough, 0 that none are sent

extra_missing any error
A package is missing here: {message}
Install it where tasks run, on all workers, by the command shown

check_failed any error
The check '{check}' broke off: {reason}
Report it if it comes again, without any data of people; the other checks went on

check_slow any warning
The check '{check}' had not ended after {seconds} s
Something it asks does not answer: {asks}. Try again, or give it more with --timeout
""")
"""By name."""

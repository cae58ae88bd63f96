#!/usr/bin/env python3
"""Writes the sample that `tidewatch demo` replays: auth.log, access.log and security.jsonl beside this file.

28 hours of a small company, invented: addresses are those reserved for documentation (RFC 5737), names are under
example.org. Each rule of rules/guide fires once. Everything else is innocent, and much of it nearly is not: failures
below the threshold, limits below fifty an hour, a reset without a new device, a new device without a reset, roles
that are not admin, administrators at work by day. One line of access.log is cut off, as by a full disk.

The same seed writes the same bytes: run it again after a change and commit what it wrote.
"""

import json
import random
from datetime import datetime, timedelta, timezone
from pathlib import Path

BEGIN = datetime(2026, 1, 5, 6, tzinfo=timezone.utc)
HOURS = 28
OFFICE = [f"192.0.2.{n}" for n in range(10, 40)]
CUSTOMERS = [f"198.51.100.{n}" for n in range(10, 150)]
SCANNERS = [f"203.0.113.{n}" for n in range(20, 60)]
BRUTE_FORCE, ABUSE, TAKEOVER = "203.0.113.99", "198.51.100.200", "203.0.113.141"
STAFF = ["alice", "bob", "carol", "dave", "erin", "frank"]
GUESSES = ["root", "admin", "test", "oracle", "postgres", "ubuntu", "git", "ftpuser", "deploy", "www"]
AGENTS = [
    "Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0",
    "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 Version/17.5 Safari/605.1.15",
    "Mozilla/5.0 (Windows NT 10.0; Win64; x64) Chrome/126.0.0.0 Safari/537.36",
    "curl/8.5.0",
    "example-app/3.2 (android 14)",
]
PAGES = ["/", "/login", "/pricing", "/docs/start", "/docs/api", "/account", "/assets/app.js", "/assets/app.css"]
API = ["/api/v1/orders", "/api/v1/orders/4711", "/api/v1/search?q=tide", "/api/v1/profile", "/api/v1/export"]

chance = random.Random(20260105)


def at(hours, minutes=0, seconds=0.0):
    """A moment so long after the beginning."""
    return BEGIN + timedelta(hours=hours, minutes=minutes, seconds=seconds)


def moments(count, day_share=0.8):
    """Moments over the whole sample, most of them between 07:00 and 19:00."""
    found = []
    while len(found) < count:
        moment = at(chance.uniform(0, HOURS))
        if 7 <= moment.hour < 19 or chance.random() > day_share:
            found.append(moment)
    return found


def by_day():
    """A moment between 09:00 and 17:00 of either day."""
    return at(chance.choice([chance.uniform(3, 11), chance.uniform(27, 27.9)]))


# auth.log -------------------------------------------------------------------------------------------------------------

auth = []


def syslog(moment, host, program, message):
    auth.append((moment, f"{moment:%b} {moment.day:2d} {moment:%H:%M:%S} {host} {program}: {message}"))


def ssh(moment, host, pid, message):
    syslog(moment, host, f"sshd[{pid}]", message)


def port():
    return chance.randint(32768, 60999)


def staff_session(moment):
    user, address, pid, host = chance.choice(STAFF), chance.choice(OFFICE), chance.randint(1000, 30000), chance.choice(["web1", "web2"])
    came = port()
    if chance.random() < 0.15:
        ssh(moment, host, pid, f"Failed password for {user} from {address} port {came} ssh2")
        moment += timedelta(seconds=4)
    key = "".join(chance.choice("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789") for _ in range(43))
    how = chance.choice([("publickey", f": ED25519 SHA256:{key}"), ("publickey", f": ED25519 SHA256:{key}"), ("password", "")])
    ssh(moment, host, pid, f"Accepted {how[0]} for {user} from {address} port {came} ssh2{how[1]}")
    ssh(moment, host, pid, f"pam_unix(sshd:session): session opened for user {user}(uid=1001) by (uid=0)")
    if chance.random() < 0.5:
        later = moment + timedelta(seconds=chance.randint(20, 300))
        command = chance.choice(["/usr/bin/systemctl status nginx", "/usr/bin/journalctl -u app", "/usr/bin/apt update"])
        syslog(later, host, "sudo", f"{user} : TTY=pts/0 ; PWD=/home/{user} ; USER=root ; COMMAND={command}")
    end = moment + timedelta(minutes=chance.randint(6, 50))
    ssh(end, host, pid, f"Received disconnect from {address} port {came}:11: disconnected by user")
    ssh(end, host, pid, f"pam_unix(sshd:session): session closed for user {user}")


def scanner_visit(moment, address):
    """At most eight failures of one address, which then stays away."""
    for _ in range(chance.randint(1, 8)):
        pid, came, user = chance.randint(1000, 30000), port(), chance.choice(GUESSES)
        if user == "root":
            ssh(moment, "web1", pid, f"Failed password for root from {address} port {came} ssh2")
        else:
            ssh(moment, "web1", pid, f"Invalid user {user} from {address} port {came}")
            ssh(moment + timedelta(seconds=1), "web1", pid, f"Failed password for invalid user {user} from {address} port {came} ssh2")
        ssh(moment + timedelta(seconds=2), "web1", pid, f"Connection closed by {address} port {came} [preauth]")
        moment += timedelta(seconds=chance.randint(5, 25))


for hour in range(HOURS):
    syslog(at(hour, 17, 1), "web1", f"CRON[{2000 + hour}]", "pam_unix(cron:session): session opened for user root(uid=0) by (uid=0)")
    syslog(at(hour, 17, 2), "web1", f"CRON[{2000 + hour}]", "pam_unix(cron:session): session closed for user root")
for moment in moments(120):
    staff_session(moment)
for address in SCANNERS:
    scanner_visit(at(chance.uniform(0, HOURS - 1)), address)
# Brute force: 44 failures in two minutes, at 02:40 in the night.
moment = at(20, 40, 7)
for attempt in range(24):
    pid, came = 20480 + attempt, port()
    ssh(moment, "web1", pid, f"Failed password for root from {BRUTE_FORCE} port {came} ssh2")
    if attempt % 6 == 5:
        ssh(moment + timedelta(seconds=2), "web1", pid, f"message repeated 5 times: [ Failed password for root from {BRUTE_FORCE} port {came} ssh2]")
        ssh(moment + timedelta(seconds=3), "web1", pid, f"error: maximum authentication attempts exceeded for root from {BRUTE_FORCE} port {came} ssh2 [preauth]")
        ssh(moment + timedelta(seconds=3), "web1", pid, f"PAM 5 more authentication failures; logname= uid=0 euid=0 tty=ssh ruser= rhost={BRUTE_FORCE}  user=root")
    moment += timedelta(seconds=5)
syslog(at(5, 12, 40), "web2", "useradd[8123]", "new user: name=grace, UID=1010, GID=1010, home=/home/grace, shell=/bin/bash")
syslog(at(5, 13, 2), "web2", "usermod[8130]", "add 'grace' to group 'developers'")

# access.log -----------------------------------------------------------------------------------------------------------

access = []


def request(moment, address, what, status, size, agent, referer="-"):
    line = f'{address} - - [{moment:%d/%b/%Y:%H:%M:%S +0000}] "{what} HTTP/1.1" {status} {size} "{referer}" "{agent}"'
    access.append((moment, line))


for moment in moments(1300):
    address, agent = chance.choice(CUSTOMERS), chance.choice(AGENTS)
    what = f"GET {chance.choice(PAGES)}" if chance.random() < 0.6 else f"{chance.choice(['GET', 'GET', 'POST'])} {chance.choice(API)}"
    status = chance.choices([200, 304, 302, 404, 500, 401], [80, 8, 5, 5, 1, 1])[0]
    referer = "https://www.example.org/" if chance.random() < 0.3 else "-"
    request(moment, address, what, status, chance.randint(120, 48000) if status == 200 else 162, agent, referer)
# Clients that run into the limit and then hold back: none is turned away fifty times within an hour.
for address, hour, count in [(CUSTOMERS[3], 2.3, 22), (CUSTOMERS[40], 5.1, 48), (CUSTOMERS[77], 8.8, 15), (CUSTOMERS[40], 9.4, 35), (CUSTOMERS[90], 26, 30)]:
    for n in range(count):
        request(at(hour, 0, n * 31), address, f"GET {chance.choice(API)}", 429, 98, "example-app/3.2 (android 14)")
# Abuse: 72 requests turned away within 40 minutes, from 11:05 on.
for n in range(72):
    request(at(5, 5, n * 33), ABUSE, f"GET /api/v1/search?q=item{n:03}", 429, 98, "python-requests/2.32.3")
for path in ["/.env", "/wp-login.php", "/phpmyadmin/", "/.git/config", "/cgi-bin/luci"]:
    request(at(chance.uniform(1, 27)), chance.choice(SCANNERS), f"GET {path}", 404, 162, "zgrab/0.x")
access.append((at(13, 2, 11), f"{CUSTOMERS[8]} - - [05/Jan/2026:19:02:1"))

# security.jsonl -------------------------------------------------------------------------------------------------------

security = []
LEVELS = {"low": "info", "medium": "warn", "high": "error", "critical": "critical"}


def secure(moment, event, severity, user=None, address=None, message=None, **rest):
    metadata = {"security_event": event, "severity": severity}
    if user:
        metadata["user_id"] = user
    if address:
        metadata["source_ip"] = address
    metadata.update(rest)
    millis = moment.strftime("%Y-%m-%dT%H:%M:%S.") + f"{moment.microsecond // 1000:03}Z"
    entry = {"time": millis, "service": "security", "level": LEVELS[severity], "message": message or f"SECURITY: {event}", "metadata": metadata}
    security.append((moment, json.dumps(entry, separators=(",", ":"))))


def user():
    number = chance.randint(1001, 1060)
    return f"user-{number}", f"user{number}@example.org", CUSTOMERS[number - 1001]


for moment in moments(200):
    who, mail, address = user()
    secure(moment, "login_success", "low", who, address, user_email=mail, user_agent=chance.choice(AGENTS))
    if chance.random() < 0.4:
        secure(moment + timedelta(minutes=chance.randint(3, 90)), "logout", "low", who, address)
for moment in moments(60):
    who, mail, address = user()
    for n in range(chance.randint(1, 4)):
        secure(moment + timedelta(seconds=9 * n), "login_failed", "medium", who, address, user_email=mail, reason="invalid_password", attempts=n + 1)
# Resets by people who then log in from the device they always use.
for number in [1003, 1011, 1024, 1037]:
    moment = by_day()
    who, address = f"user-{number}", CUSTOMERS[number - 1001]
    secure(moment, "password_reset_requested", "medium", who, address)
    secure(moment + timedelta(minutes=4), "password_changed", "medium", who, address)
    secure(moment + timedelta(minutes=5), "login_success", "low", who, address)
# New devices of people who forgot nothing.
for number in [1006, 1019, 1048, 1052]:
    secure(by_day(), "login_success", "low", f"user-{number}", chance.choice(CUSTOMERS), message="SECURITY: login_success (new_device_login)")
for n in range(14):
    secure(by_day(), chance.choice(["mfa_enabled", "api_key_created", "session_revoked"]), "low", user()[0], chance.choice(CUSTOMERS))
for who, role in [("user-1012", "editor"), ("user-1033", "viewer"), ("user-1040", "billing")]:
    secure(by_day(), "role_changed", "medium", "bob", OFFICE[2], user_role="admin", target_id=who, old_role="member", new_role=role)
# Administrators at work, by day.
for n in range(16):
    event = chance.choice(["user_deleted", "data_exported", "settings_changed", "api_key_revoked"])
    secure(by_day(), event, "high", chance.choice(["alice", "bob"]), chance.choice(OFFICE[:5]), user_role="admin", target_id=user()[0])
# The audit trail: who did what to which thing.
for moment in moments(60):
    action = chance.choice(["order.refund", "order.view", "customer.update", "invoice.create"])
    secure(moment, "data_access", "low", chance.choice(STAFF), chance.choice(OFFICE), message=f"AUDIT: {action}", audit=True, action=action,
           resource_type=action.split(".")[0], resource_id=str(chance.randint(10000, 99999)), success=True)
# Account takeover: a reset at 07:41, and a login from a device never seen at 08:02.
secure(at(1, 41, 3), "password_reset_requested", "medium", "user-1042", TAKEOVER, user_email="user1042@example.org")
secure(at(2, 2, 48), "login_success", "low", "user-1042", TAKEOVER, message="SECURITY: login_success (new_device_login)", user_email="user1042@example.org")
# Privilege escalation, by day.
secure(at(8, 26, 30), "role_changed", "high", "carol", OFFICE[7], target_id="user-1058", old_role="member", new_role="admin")
# Impossible travel.
secure(at(10, 3, 15), "impossible_travel", "high", "user-1029", "203.0.113.170", previous_ip=CUSTOMERS[28], minutes_between=12)
# An administrator at 23:47.
secure(at(17, 47, 52), "data_exported", "high", "alice", "203.0.113.201", user_role="admin", rows=48210)

# ----------------------------------------------------------------------------------------------------------------------

END = at(HOURS)
for name, lines in [("auth.log", auth), ("access.log", access), ("security.jsonl", security)]:
    lines = [line for moment, line in sorted(lines, key=lambda entry: entry[0]) if moment < END]
    Path(__file__).with_name(name).write_text("\n".join(lines) + "\n")

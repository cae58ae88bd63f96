//! What `--help` and the manual say of each command beside its arguments: examples, and what its exit code means.

#[cfg(test)]
mod tests;

use clap::{Command, CommandFactory as _};
use service::Exit;

use crate::Cli;

/// A command line, and what it does.
pub(crate) type Example = (&'static str, &'static str);

/// Exit codes that a command ends with, and what each means.
pub(crate) type Exits = &'static [(Exit, &'static str)];

/// More about one command.
pub(crate) struct Page {
    /// The words that call it, without `tidewatch`.
    pub(crate) command: &'static [&'static str],
    pub(crate) examples: &'static [Example],
    pub(crate) exits: Exits,
}

const USAGE: (Exit, &str) = (Exit::Usage, "the command line is wrong");
const FAILURE: (Exit, &str) = (Exit::Failure, "something failed; standard error says what");
const RULES: (Exit, &str) = (Exit::Configuration, "a rule cannot be read, or is wrong");
const CONFIGURATION: (Exit, &str) = (Exit::Configuration, "the configuration is wrong");

/// Of every command together, and of the services, which a supervisor restarts by them.
const OF_SERVICES: Exits = &[
    (Exit::Ok, "stopped as asked"),
    (
        Exit::Failure,
        "something failed that may pass, or the stop took too long: restart it",
    ),
    USAGE,
    (
        Exit::Fenced,
        "another process took over this one's work, with the same kafka.instance: restart it after a pause",
    ),
    (
        Exit::Configuration,
        "the configuration, a rule, a topic or the bucket is not as it must be: change it first",
    ),
];
const OF_ALL: Exits = &[
    (Exit::Ok, "done; a service: stopped as asked"),
    (
        Exit::Failure,
        "something failed, or was found that the command looks for",
    ),
    USAGE,
    (Exit::Fenced, "another process took over the work of this service"),
    (
        Exit::Configuration,
        "the configuration, a rule, a topic or the bucket is not as it must be",
    ),
];
const OF_PRINTERS: Exits = &[(Exit::Ok, "printed"), USAGE];

/// Every command that does something; a test finds one that is missing.
pub(crate) const PAGES: &[Page] = &[
    Page {
        command: &[],
        examples: &[
            (
                "tidewatch demo",
                "attacks, alerts and an archive, with nothing to install",
            ),
            ("tidewatch scan /var/log/auth.log", "attacks in a log file"),
            (
                "tidewatch config example > tidewatch.yml",
                "a configuration to begin with",
            ),
            ("tidewatch --config tidewatch.yml detector", "a service"),
        ],
        exits: OF_ALL,
    },
    Page {
        command: &["ingest"],
        examples: &[
            ("tidewatch --config tidewatch.yml ingest", "until SIGTERM or SIGINT"),
            ("tidewatch config example ingest > ingest.yml", "what it can be told"),
        ],
        exits: OF_SERVICES,
    },
    Page {
        command: &["detector"],
        examples: &[
            ("tidewatch --config tidewatch.yml detector", "until SIGTERM or SIGINT"),
            (
                "tidewatch config example detector > detector.yml",
                "what it can be told",
            ),
        ],
        exits: OF_SERVICES,
    },
    Page {
        command: &["alerter"],
        examples: &[
            ("tidewatch --config tidewatch.yml alerter", "until SIGTERM or SIGINT"),
            ("tidewatch config example alerter > alerter.yml", "what it can be told"),
        ],
        exits: OF_SERVICES,
    },
    Page {
        command: &["archiver"],
        examples: &[
            ("tidewatch --config tidewatch.yml archiver", "until SIGTERM or SIGINT"),
            (
                "tidewatch config example archiver > archiver.yml",
                "what it can be told",
            ),
        ],
        exits: OF_SERVICES,
    },
    Page {
        command: &["demo"],
        examples: &[
            ("tidewatch demo", "the sample"),
            (
                "tidewatch demo --input /var/log/auth.log --format sshd",
                "a log of yours",
            ),
            (
                "tidewatch demo --listen",
                "the HTTP door stays open; a curl line is printed",
            ),
        ],
        exits: &[
            (Exit::Ok, "played to its end, or stopped as asked"),
            FAILURE,
            USAGE,
            RULES,
        ],
    },
    Page {
        command: &["scan"],
        examples: &[
            (
                "tidewatch scan /var/log/auth.log /var/log/nginx/access.log.1.gz",
                "a line for each attack",
            ),
            (
                "tidewatch scan --format sshd --year 2017 --output jsonl --fail-on high auth.log.gz",
                "as JSON, and exit code 1 if one of them is high or critical",
            ),
        ],
        exits: &[
            (Exit::Ok, "the files are read; alerts or none"),
            (
                Exit::Failure,
                "an alert is as severe as --fail-on says, or a file cannot be read",
            ),
            USAGE,
            RULES,
        ],
    },
    Page {
        command: &["sample"],
        examples: &[
            ("tidewatch sample", "attacks of this hour, an event a line"),
            ("tidewatch --config tidewatch.yml sample --publish", "to the topic raw"),
        ],
        exits: &[
            (Exit::Ok, "printed, or taken by the brokers"),
            FAILURE,
            USAGE,
            CONFIGURATION,
        ],
    },
    Page {
        command: &["rules", "check"],
        examples: &[
            ("tidewatch rules check rules/", "every mistake, with file and line"),
            (
                "tidewatch rules check --deny-warnings --format json rules/",
                "as lines of JSON, and exit code 1 if there is a warning",
            ),
        ],
        exits: &[
            (Exit::Ok, "all rules are right"),
            (Exit::Failure, "there are warnings, and --deny-warnings is asked"),
            USAGE,
            RULES,
        ],
    },
    Page {
        command: &["rules", "test"],
        examples: &[
            ("tidewatch rules test rules/", "the tests that stand in the rule files"),
            (
                "tidewatch rules test --verbose --filter brute_force rules/",
                "those of some rules, each named, and how long they took",
            ),
        ],
        exits: &[
            (Exit::Ok, "all tests passed"),
            (Exit::Failure, "a test failed"),
            USAGE,
            RULES,
        ],
    },
    Page {
        command: &["rules", "explain"],
        examples: &[
            (
                "tidewatch rules explain guide_brute_force --events auth.log.gz --key 203.0.113.9",
                "what became of each event of one address",
            ),
            (
                "tidewatch rules explain my_rule --rules rules/ --events events.jsonl --json --limit 1000",
                "as lines of JSON",
            ),
        ],
        exits: &[
            (Exit::Ok, "the events are read; alerts or none"),
            FAILURE,
            (Exit::Usage, "the command line is wrong, or there is no such rule"),
            RULES,
        ],
    },
    Page {
        command: &["rules", "schema"],
        examples: &[("tidewatch rules schema > rule.schema.json", "for an editor")],
        exits: OF_PRINTERS,
    },
    Page {
        command: &["topics", "create"],
        examples: &[(
            "tidewatch --config tidewatch.yml topics create --partitions 6 --replicas 3",
            "what is there already is left as it is",
        )],
        exits: &[(Exit::Ok, "all topics are there"), FAILURE, USAGE, CONFIGURATION],
    },
    Page {
        command: &["topics", "verify"],
        examples: &[(
            "tidewatch --config tidewatch.yml topics verify --partitions 6 --replicas 3",
            "a line for each difference",
        )],
        exits: &[
            (Exit::Ok, "no difference"),
            (Exit::Failure, "a difference, or the brokers cannot be asked"),
            USAGE,
            CONFIGURATION,
        ],
    },
    Page {
        command: &["archive", "create-bucket"],
        examples: &[(
            "tidewatch --config tidewatch.yml archive create-bucket",
            "before the archiver starts",
        )],
        exits: &[
            (Exit::Ok, "the bucket is there, with Object Lock"),
            FAILURE,
            USAGE,
            (
                Exit::Configuration,
                "the configuration is wrong, or the bucket has no Object Lock",
            ),
        ],
    },
    Page {
        command: &["health"],
        examples: &[
            (
                "tidewatch health",
                "whether the service of this machine can do its work",
            ),
            ("tidewatch health --alive", "whether it should be restarted"),
        ],
        exits: &[
            (Exit::Ok, "it is well"),
            (Exit::Failure, "it is not, or does not answer"),
            USAGE,
            CONFIGURATION,
        ],
    },
    Page {
        command: &["config", "check"],
        examples: &[
            ("tidewatch config check tidewatch.yml", "what all services read"),
            (
                "tidewatch config check --service alerter alerter.yml",
                "what one of them reads",
            ),
        ],
        exits: &[(Exit::Ok, "the configuration is right"), USAGE, CONFIGURATION],
    },
    Page {
        command: &["config", "show"],
        examples: &[
            (
                "tidewatch config show tidewatch.yml",
                "every setting in force, and where it comes from",
            ),
            (
                "tidewatch config show --service alerter alerter.yml",
                "those of one service",
            ),
        ],
        exits: &[(Exit::Ok, "printed"), USAGE, CONFIGURATION],
    },
    Page {
        command: &["config", "example"],
        examples: &[
            ("tidewatch config example > tidewatch.yml", "one file for all services"),
            ("tidewatch config example alerter > alerter.yml", "a file for one"),
        ],
        exits: OF_PRINTERS,
    },
    Page {
        command: &["config", "reference"],
        examples: &[(
            "tidewatch config reference > configuration.md",
            "what every key takes and is for",
        )],
        exits: OF_PRINTERS,
    },
    Page {
        command: &["completions"],
        examples: &[
            (
                "tidewatch completions bash > /usr/share/bash-completion/completions/tidewatch",
                "bash, for everybody on this machine",
            ),
            (
                "tidewatch completions zsh > /usr/local/share/zsh/site-functions/_tidewatch",
                "zsh; the directory must be in $fpath",
            ),
            (
                "tidewatch completions fish > ~/.config/fish/completions/tidewatch.fish",
                "fish",
            ),
            ("tidewatch completions powershell >> $PROFILE", "PowerShell"),
        ],
        exits: OF_PRINTERS,
    },
    Page {
        command: &["man"],
        examples: &[
            ("tidewatch man | man -l -", "the first page, here and now"),
            (
                "tidewatch man /usr/local/share/man/man1",
                "a page for each command: then `man tidewatch-scan`",
            ),
        ],
        exits: &[(Exit::Ok, "printed or written"), FAILURE, USAGE],
    },
];

/// The command line with all that is said of it.
pub(crate) fn command() -> Command {
    let attach_all = |command, page: &Page| attach(command, page.command, &text(page));
    PAGES.iter().fold(Cli::command(), attach_all)
}

fn attach(command: Command, path: &[&'static str], text: &str) -> Command {
    match path.split_first() {
        None => command.after_long_help(text.to_owned()),
        Some((name, rest)) => command.mut_subcommand(name, |inner| attach(inner, rest, text)),
    }
}

fn text(page: &Page) -> String {
    let mut text = "Examples:\n".to_owned();
    for (line, purpose) in page.examples {
        text += &format!("  {line}\n      {purpose}\n");
    }
    text += "\nExit codes:\n";
    for (exit, meaning) in page.exits {
        text += &format!("  {:<3} {meaning}\n", exit.code());
    }
    text
}

//! The command line: every command and option that exists. Start with [`Cli`].
//!
//! What is not built is absent here. This is the only file that knows the parser of arguments.

use std::ffi::OsString;
use std::net::SocketAddr;
use std::path::PathBuf;

use clap::builder::NonEmptyStringValueParser;
use clap::{Args, CommandFactory as _, Parser, Subcommand, ValueEnum};

use super::exit::Exit;
use super::probes::Hooks;

/// Reinstalls the operating system of many cloud servers from a playbook.
#[derive(Debug, Parser)]
#[command(name = "refleet", version, max_term_width = 100, disable_help_subcommand = true)]
pub(super) struct Cli {
    #[command(flatten)]
    pub(super) globals: Globals,
    #[command(subcommand)]
    pub(super) command: Command,
}

/// Options of every command.
#[derive(Debug, Args)]
#[command(next_help_heading = "Global options")]
pub(super) struct Globals {
    /// The cloud, instead of the one that the playbook names
    #[arg(long, global = true, value_name = "NAME")]
    pub(super) cloud: Option<String>,
    /// The state file: the journal of all runs [default: refleet/state.db under the XDG state directory]
    #[arg(long, global = true, value_name = "FILE", env = "REFLEET_STATE")]
    pub(super) state: Option<PathBuf>,
    /// Writes the events of a run there, one JSON object a line; `-` is stdout
    #[arg(long, global = true, value_name = "FILE")]
    pub(super) events: Option<PathBuf>,
    /// When to use colour; `auto` is on a terminal, unless `NO_COLOR` is set
    #[arg(long, global = true, value_name = "WHEN", default_value = "auto")]
    pub(super) color: When,
    /// Shows results and errors only
    #[arg(short, long, global = true, conflicts_with = "verbose")]
    pub(super) quiet: bool,
    /// Shows the progress of a run as lines, also on a terminal
    #[arg(short, long, global = true)]
    pub(super) verbose: bool,
}

/// When to use colour.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum When {
    Auto,
    Always,
    Never,
}

/// Form of a result.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub(super) enum Format {
    #[default]
    Text,
    Json,
}

#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// Proposes a first playbook for what a project has, and changes nothing
    Init(InitArgs),
    /// Checks playbooks, without any cloud
    Validate(ValidateArgs),
    /// Shows what would be done, and changes nothing
    Plan(PlanArgs),
    /// Shows what will be done, asks, and does it
    Apply(ApplyArgs),
    /// Goes on with a run that was interrupted or paused
    Resume(ResumeArgs),
    /// Plans again what failed in a run or never began, asks, and does it
    Retry(RetryArgs),
    /// Asks a run to start nothing new, finish what was begun, and wait for `resume`
    Pause(SteerArgs),
    /// Asks a run to start nothing new, finish what was begun, and end
    Stop(SteerArgs),
    /// Lets a run go on that waits for an approval
    Approve(SteerArgs),
    /// Follows a run of another process
    Watch(WatchArgs),
    /// Gives a server back of which nobody knows what a run did to it last
    Abandon(AbandonArgs),
    /// Lists the runs of the state file
    Runs(RunsArgs),
    /// Shows where the servers of a run are
    Status(StatusArgs),
    /// Shows what came of a run
    Report(ReportArgs),
    /// Writes what the cloud's support needs to know of a server, ready to send
    Support(SupportArgs),
    /// Rehearses a playbook in simulated time, under trouble drawn from seeds
    Simulate(SimulateArgs),
    /// Serves a simulated cloud over HTTP
    Simulator(SimulatorArgs),
    /// Prints a JSON Schema
    Schema(SchemaArgs),
    /// Explains a problem of a playbook or an error of the cloud by its code, or what a playbook and
    /// a run mean for a server
    Explain(ExplainArgs),
    /// Prints what a shell needs to complete the command line
    Completions(CompletionsArgs),
    /// Prints the manual page
    Man,
}

impl Command {
    /// What a rehearsal does for real.
    pub(super) fn hooks(&self) -> Hooks {
        if let Self::Apply(ApplyArgs { hooks, .. })
        | Self::Resume(ResumeArgs { hooks, .. })
        | Self::Retry(RetryArgs { hooks, .. }) = self
            && hooks.real_hooks
        {
            Hooks::Real
        } else {
            Hooks::Rehearsed
        }
    }
}

/// Arguments of `init`.
#[derive(Debug, Args)]
pub(super) struct InitArgs {
    /// Writes the playbook there, never over a file [default: stdout]
    #[arg(long, value_name = "FILE")]
    pub(super) out: Option<PathBuf>,
}

/// Arguments of `validate`.
#[derive(Debug, Args)]
pub(super) struct ValidateArgs {
    /// Playbooks
    #[arg(required = true, value_name = "PLAYBOOK")]
    pub(super) playbooks: Vec<PathBuf>,
    /// Form of the result
    #[arg(long, default_value = "text")]
    pub(super) format: Format,
}

/// Which part of a playbook.
#[derive(Debug, Default, Args)]
pub(super) struct NarrowingArgs {
    /// Only this fleet; may be given several times
    #[arg(long = "fleet", value_name = "FLEET")]
    pub(super) fleets: Vec<String>,
    /// Only servers of that id, or whose name matches; may be given several times
    #[arg(long = "limit", value_name = "PATTERN")]
    pub(super) limits: Vec<String>,
}

/// Arguments of `plan`.
#[derive(Debug, Args)]
pub(super) struct PlanArgs {
    /// The playbook
    pub(super) playbook: PathBuf,
    /// Saves the plan there, for `apply`
    #[arg(long, value_name = "FILE")]
    pub(super) out: Option<PathBuf>,
    #[command(flatten)]
    pub(super) narrowing: NarrowingArgs,
    /// Form of the result
    #[arg(long, default_value = "text")]
    pub(super) format: PlanFormat,
    /// Shows what this plan changes, compared with one that was saved, instead of the plan
    #[arg(long, value_name = "PLAN")]
    pub(super) diff: Option<PathBuf>,
    /// Leaves with 2 if there is something to do; with --diff, if the plans differ
    #[arg(long)]
    pub(super) detailed_exitcode: bool,
}

/// Form of a plan.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum PlanFormat {
    Text,
    Json,
    Dot,
    Mermaid,
}

/// Arguments of `apply`.
#[derive(Debug, Args)]
pub(super) struct ApplyArgs {
    /// A playbook, or a plan that was saved with `plan --out`
    #[arg(value_name = "PLAYBOOK|PLAN")]
    pub(super) subject: PathBuf,
    /// Confirms that so many servers will be wiped
    #[arg(long, value_name = "N")]
    pub(super) confirm: Option<usize>,
    #[command(flatten)]
    pub(super) narrowing: NarrowingArgs,
    #[command(flatten)]
    pub(super) hooks: HookArgs,
}

/// What a rehearsal runs for real.
#[derive(Clone, Copy, Debug, Args)]
pub(super) struct HookArgs {
    /// Where the cloud is a simulated one: runs the playbook's own programs all the same, and really
    /// makes the checks of `verify` that look from outside
    #[arg(long)]
    pub(super) real_hooks: bool,
}

/// Arguments of `resume`.
#[derive(Debug, Args)]
pub(super) struct ResumeArgs {
    /// The run, or the beginning of its id [default: the only one that has not ended]
    #[arg(value_parser = NonEmptyStringValueParser::new())]
    pub(super) run: Option<String>,
    #[command(flatten)]
    pub(super) hooks: HookArgs,
}

/// Arguments of `retry`.
#[derive(Debug, Args)]
pub(super) struct RetryArgs {
    /// The run, or the beginning of its id
    #[arg(value_parser = NonEmptyStringValueParser::new())]
    pub(super) run: String,
    /// Saves the plan there, for `apply`, and does nothing else
    #[arg(long, value_name = "FILE", conflicts_with = "confirm")]
    pub(super) out: Option<PathBuf>,
    /// Confirms that so many servers will be wiped
    #[arg(long, value_name = "N")]
    pub(super) confirm: Option<usize>,
    #[command(flatten)]
    pub(super) hooks: HookArgs,
}

/// Arguments of `watch`.
#[derive(Debug, Args)]
pub(super) struct WatchArgs {
    /// The run, or the beginning of its id [default: the only one under way, or the newest]
    #[arg(value_parser = NonEmptyStringValueParser::new())]
    pub(super) run: Option<String>,
    /// Form of the lines; JSON tells the run from its beginning
    #[arg(long, default_value = "text")]
    pub(super) format: Format,
}

/// Arguments of `abandon`.
#[derive(Debug, Args)]
pub(super) struct AbandonArgs {
    /// The run, or the beginning of its id
    #[arg(value_parser = NonEmptyStringValueParser::new())]
    pub(super) run: String,
    /// The server, by its id, or by its name if no other server of the run has it
    #[arg(value_parser = NonEmptyStringValueParser::new())]
    pub(super) server: String,
    /// Confirms it with the server's name
    #[arg(long, value_name = "NAME")]
    pub(super) confirm: Option<String>,
}

/// Arguments of `pause`, `stop` and `approve`.
#[derive(Debug, Args)]
pub(super) struct SteerArgs {
    /// The run, or the beginning of its id
    #[arg(value_parser = NonEmptyStringValueParser::new())]
    pub(super) run: String,
}

/// Arguments of `runs`.
#[derive(Debug, Args)]
pub(super) struct RunsArgs {
    /// Form of the result
    #[arg(long, default_value = "text")]
    pub(super) format: Format,
}

/// Arguments of `status`.
#[derive(Debug, Args)]
pub(super) struct StatusArgs {
    /// The run, or the beginning of its id [default: the newest]
    #[arg(value_parser = NonEmptyStringValueParser::new())]
    pub(super) run: Option<String>,
    /// Form of the result
    #[arg(long, default_value = "text")]
    pub(super) format: Format,
}

/// Arguments of `report`.
#[derive(Debug, Args)]
pub(super) struct ReportArgs {
    /// The run, or the beginning of its id
    #[arg(value_parser = NonEmptyStringValueParser::new())]
    pub(super) run: String,
    /// Form of the result
    #[arg(long, default_value = "text")]
    pub(super) format: ReportFormat,
    /// Writes the report there instead of to stdout
    #[arg(long, value_name = "FILE")]
    pub(super) out: Option<PathBuf>,
}

/// Form of a report.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum ReportFormat {
    /// For a terminal
    Text,
    /// For programs
    Json,
    /// For the pages of CI systems: a suite for each fleet, a case for each server
    Junit,
    /// For merge requests, tickets and wikis
    Markdown,
    /// One page for a browser, without scripts
    Html,
}

/// Arguments of `support`.
#[derive(Debug, Args)]
pub(super) struct SupportArgs {
    /// The run, or the beginning of its id
    #[arg(value_parser = NonEmptyStringValueParser::new())]
    pub(super) run: String,
    /// The server, by its id, or by its name if no other server of the run has it
    #[arg(value_parser = NonEmptyStringValueParser::new())]
    pub(super) server: String,
    /// Writes the archive there; nothing is overwritten [default: support-RUN-SERVER.tar.gz]
    #[arg(long, value_name = "FILE")]
    pub(super) out: Option<PathBuf>,
}

/// Arguments of `simulate`.
#[derive(Debug, Args)]
pub(super) struct SimulateArgs {
    /// The playbook; its world is fitted to it unless it describes one
    #[arg(value_name = "PLAYBOOK")]
    pub(super) playbook: PathBuf,
    /// So many seeds
    #[arg(long, value_name = "N", default_value_t = 100)]
    pub(super) seeds: u64,
    /// The first seed
    #[arg(long, value_name = "SEED", default_value_t = 0)]
    pub(super) from: u64,
    /// What goes wrong: none, throttled, flaky, chaos, or a file; else each seed draws its own mix
    #[arg(long, value_name = "NAME|FILE")]
    pub(super) faults: Option<String>,
    /// Others live in the cloud of every seed: a colleague, gateways, a second run
    #[arg(long)]
    pub(super) people: bool,
    /// Instead of seeds: one plain run, with a crash at every point and every answer lost, once each
    #[arg(long, conflicts_with_all = ["seeds", "from", "faults", "people"])]
    pub(super) every_point: bool,
    /// Prints every record of every run
    #[arg(long)]
    pub(super) trace: bool,
}

/// Arguments of `simulator`.
#[derive(Debug, Args)]
pub(super) struct SimulatorArgs {
    /// Where to listen; port 0 takes a free one
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:0")]
    pub(super) listen: SocketAddr,
    /// So many healthy servers
    #[arg(long, value_name = "N", default_value_t = 10)]
    pub(super) servers: u32,
    /// A world file instead
    #[arg(long, value_name = "FILE", conflicts_with = "servers")]
    pub(super) world: Option<PathBuf>,
    /// What goes wrong: none, throttled, flaky, chaos, or a file
    #[arg(long, value_name = "NAME|FILE", default_value = "none")]
    pub(super) faults: String,
    /// Durations are divided by it
    #[arg(long, value_name = "X", default_value_t = 1.0)]
    pub(super) speed: f64,
    /// What everything random is drawn from
    #[arg(long, value_name = "N", default_value_t = 0)]
    pub(super) seed: u64,
    /// Writes a clouds.yaml there, with an entry `sim`
    #[arg(long, value_name = "FILE")]
    pub(super) clouds: Option<PathBuf>,
}

/// Arguments of `schema`.
#[derive(Debug, Args)]
pub(super) struct SchemaArgs {
    /// Whose schema
    pub(super) of: SchemaOf,
}

/// What has a schema.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum SchemaOf {
    Playbook,
    Plan,
    Event,
}

/// Arguments of `explain`.
#[derive(Debug, Args)]
pub(super) struct ExplainArgs {
    /// The code of a problem as `validate` shows it, or of the cloud such as `Ecs.0314`; `errors`
    /// prints all of the cloud's. Or the id or the name of a server, with --playbook or --run
    #[arg(value_name = "CODE|SERVER")]
    pub(super) word: String,
    /// Says why a server is in this playbook or not, by which lines, and who decided each value
    #[arg(long, value_name = "FILE")]
    pub(super) playbook: Option<PathBuf>,
    /// Says where a server is in this run, and what it waits for
    #[arg(long, value_name = "RUN", value_parser = NonEmptyStringValueParser::new())]
    pub(super) run: Option<String>,
    /// Form of the result
    #[arg(long, default_value = "text")]
    pub(super) format: Format,
}

/// Arguments of `completions`.
#[derive(Debug, Args)]
pub(super) struct CompletionsArgs {
    /// Which shell
    pub(super) shell: clap_complete::Shell,
}

/// The completions of a shell, for its start-up files.
pub(super) fn completions(shell: clap_complete::Shell) -> Vec<u8> {
    let mut out = Vec::new();
    clap_complete::generate(shell, &mut Cli::command(), "refleet", &mut out);
    out
}

/// The manual page, in roff: every command with its options, one after another.
pub(super) fn manual() -> std::io::Result<Vec<u8>> {
    let mut out = Vec::new();
    let mut command = Cli::command();
    command.build();
    clap_mangen::Man::new(command.clone()).render(&mut out)?;
    for part in command.get_subcommands() {
        let page = clap_mangen::Man::new(part.clone());
        page.render_name_section(&mut out)?;
        page.render_synopsis_section(&mut out)?;
        page.render_options_section(&mut out)?;
    }
    Ok(out)
}

/// Reads the command line. Where that ends the program (a mistake, `--help`, `--version`), the text
/// is printed and the way to leave returned.
pub(super) fn parse(words: impl IntoIterator<Item = OsString>) -> Result<Cli, Exit> {
    Cli::try_parse_from(words).map_err(|error| {
        // Nothing is left to do about a closed stdout or stderr.
        drop(error.print());
        exit_of(&error)
    })
}

fn exit_of(error: &clap::Error) -> Exit {
    if error.use_stderr() { Exit::Usage } else { Exit::Done }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_line_is_well_formed() {
        Cli::command().debug_assert();
    }

    #[test]
    fn wrong_use_and_help_leave_differently() {
        let check = |line: &str, expected: Exit| {
            let error = Cli::try_parse_from(line.split(' ')).unwrap_err();
            assert_eq!(exit_of(&error), expected, "{line}");
        };
        check("refleet", Exit::Usage);
        check("refleet frobnicate", Exit::Usage);
        check("refleet runs --format yaml", Exit::Usage);
        check("refleet runs -q -v", Exit::Usage);
        check("refleet report ", Exit::Usage); // an empty id begins every run's
        check("refleet --help", Exit::Done);
        check("refleet --version", Exit::Done);
    }
}

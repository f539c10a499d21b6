//! Every code of a problem, with what `refleet explain` says about it.
//!
//! The examples are the files under `tests/problems/`, which a test feeds to the parser: the bad one
//! must give the code, the mended one must be clean.

/// A code, explained.
#[derive(Clone, Copy, Debug)]
pub struct Explanation {
    /// The code, such as `playbook::unknown_key`.
    pub code: &'static str,
    /// How much of a playbook has to be understood to see it.
    pub nature: Nature,
    /// It in a few words.
    pub title: &'static str,
    /// Why it is refused, and what to do.
    pub text: &'static str,
    /// A playbook that has it; `None` where one would be too large to show, or unreadable.
    pub bad: Option<&'static str>,
    /// The same playbook, mended.
    pub mended: Option<&'static str>,
    /// The file that the bad one names, and the file that the mended one names, where the problem is
    /// in it: name and content.
    pub files: Option<[(&'static str, &'static str); 2]>,
}

/// How much of a playbook has to be understood to see a problem.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Nature {
    /// The text alone: it is not the YAML that we take. Another reader may take it.
    Text,
    /// The shape of the values: whoever has the JSON Schema sees it too, such as an editor.
    Shape,
    /// What the values mean together, or what stands in another file.
    Sense,
}

/// The explanation of a code, with or without `playbook::` in front.
#[must_use]
pub fn explain(code: &str) -> Option<Explanation> {
    let code = code.strip_prefix("playbook::").unwrap_or(code);
    EXPLANATIONS.iter().find(|known| known.code.strip_prefix("playbook::") == Some(code)).copied()
}

/// All codes, in the order in which a playbook is read.
pub fn codes() -> impl Iterator<Item = &'static str> {
    EXPLANATIONS.iter().map(|explanation| explanation.code)
}

macro_rules! example {
    (shown $name:literal $ending:literal) => {
        Some(include_str!(concat!("../../tests/problems/", $name, $ending)))
    };
    (told $name:literal $ending:literal) => {
        None
    };
}

macro_rules! files {
    ($name:literal) => {
        None
    };
    ($name:literal $ending:literal) => {
        Some([
            (
                concat!($name, ".", $ending),
                include_str!(concat!("../../tests/problems/", $name, ".", $ending)),
            ),
            (
                concat!($name, ".mended.", $ending),
                include_str!(concat!("../../tests/problems/", $name, ".mended.", $ending)),
            ),
        ])
    };
}

// `shown`: an example is stored; `shown with "csv"`: it names such a file, and the problem is in that.
// `told`: no stored text can show it.
macro_rules! codes {
    ($($variant:ident $name:literal $how:ident $(with $file:literal)?, $title:literal: $text:literal;)*) => {
        /// What kind of problem.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub(super) enum Code { $(#[doc = $title] $variant,)* }

        impl Code {
            /// As it is shown.
            pub(super) fn as_str(self) -> &'static str {
                match self { $(Self::$variant => concat!("playbook::", $name),)* }
            }
        }

        static EXPLANATIONS: &[Explanation] = &[$(Explanation {
            code: concat!("playbook::", $name),
            nature: Code::$variant.nature(),
            title: $title,
            text: $text,
            bad: example!($how $name ".yaml"),
            mended: example!($how $name ".mended.yaml"),
            files: files!($name $($file)?),
        },)*];
    };
}

codes! {
    TooLarge "too_large" told, "too large to be a playbook":
        "A playbook may have 4 MB, and one text in it 1 MB. Honest playbooks stay far below: long lists of servers belong into a file of their own, named with `file:` in `hosts`. Of user data the cloud takes 32 KiB.";
    NotUtf8 "not_utf8" told, "not UTF-8":
        "Playbooks, inventories and templates are UTF-8. Another encoding could turn one name into another without anybody noticing, so nothing is guessed.";
    Syntax "syntax" shown, "not YAML":
        "The text is not YAML, so nothing behind the place was read. Mostly it is an indentation, a quote that is not closed, or a colon without a space behind it.";
    TooDeep "too_deep" shown, "nested too deeply":
        "No playbook needs 64 levels, counting what an alias stands for. The limit keeps a hostile file from using up the memory.";
    TooManyNodes "too_many_values" shown, "more values than a playbook can have":
        "The values of the file, with every alias counted as what it stands for, are more than 300,000. A few lines of aliases of aliases are enough for that.";
    SeveralDocuments "several_documents" shown, "more than one document":
        "A file holds one playbook. A second document behind `---` would be easy to overlook in a review.";
    Empty "empty" shown, "nothing in it":
        "The file has no keys. An empty playbook does not mean anything, least of all every server.";
    DuplicateKey "duplicate_key" shown, "a key twice":
        "The same key stands twice in one map. Many readers of YAML keep the last one without a word: a second fleet of the same name would replace the first.";
    UnknownAlias "unknown_alias" shown, "an alias without an anchor":
        "`*name` stands for what `&name` marks further up, and there is no such mark.";
    UnquotedGlob "unquoted_glob" shown, "a pattern without quotes":
        "A `*` at the beginning of a value is an alias to YAML. A pattern that begins with it has to be quoted.";
    UnquotedInsert "unquoted_insert" shown, "an insert without quotes":
        "`{{ x }}` at the beginning of a value is a map in a map to YAML. A value that begins with an insert has to be quoted.";
    ComplexKey "complex_key" shown, "a list or a map as a key":
        "Keys of a playbook are words.";
    Tag "yaml_tag" shown, "a YAML tag":
        "Tags such as `!include` or `!!int` change what a value is. A playbook has only what can be seen.";
    BadMerge "bad_merge" shown, "`<<` with something that is not a map":
        "`<<: *anchor` merges the keys of a map into another. It needs a map, or a list of maps.";
    UnknownKey "unknown_key" shown, "a key that does not exist":
        "A misspelt key would otherwise be ignored, and its default be used for a wipe that nobody meant.";
    MissingKey "missing_key" shown, "a key that has to be there":
        "Some things are never guessed: the version of the language, the cloud, the fleets, and which servers they have.";
    WrongType "wrong_type" shown, "another kind of value":
        "A list stands where a map belongs, a text where a number does, or the like.";
    Blank "blank" shown, "a key without a value":
        "Nothing behind the colon, or `\"\"`, is no value. A blank that quietly became a default has deleted whole accounts elsewhere. `null` is the only legal empty value, and only where a value is inherited.";
    NullHere "null_here" shown, "`null` where nothing is inherited":
        "`null` removes a value that a fleet inherits from `defaults`, or an override from its fleet. Other keys inherit nothing.";
    UnknownWord "unknown_word" shown, "a word that is not one of the choices":
        "The key takes one of a few words.";
    NotAFlag "not_a_flag" shown, "neither true nor false":
        "Switches are `true` or `false`. `yes`, `on` and `1` mean different things to different readers of YAML.";
    BadDuration "bad_duration" shown, "not a duration":
        "A duration is a whole number and one unit: ms, s, m or h.";
    BadRate "bad_rate" shown, "not a rate":
        "A rate is a whole number of requests for each second (`10/s`) or minute (`300/m`).";
    BadShare "bad_share" shown, "not a share":
        "A share is a whole number of percent, up to 100.";
    BadNumber "bad_number" shown, "a number out of range":
        "The number is too small, too large, or not a whole one. Where 0 would mean that nothing ever starts, 0 is refused.";
    BadTag "bad_tag" shown, "not a tag":
        "A tag is `key=value`, without spaces around; the key alone matches any value.";
    BadName "bad_name" shown, "not a name":
        "Names of fleets and variables are made of letters, digits, `_`, `-` and `.`; ids and names of the cloud have no spaces.";
    Version "version" shown, "another version of the language":
        "`version` says which language the playbook is written in, so that an old refleet never reads a new playbook halfway.";
    NotOne "not_one" shown, "none or two of what must be one":
        "A step is one action, a check one check, and a password is kept in one place.";
    EmptyList "empty_list" shown, "an empty list":
        "An empty list would mean that nothing is done, or checked. Removing the key gives the default; `null` removes what is inherited.";
    InsertInVars "insert_in_vars" shown, "a variable made of variables":
        "Values of `vars` are taken as they are. So a reader sees at once what is inserted.";
    BadInsert "bad_insert" shown, "not an insert":
        "Between `{{` and `}}` stands the name of a variable and nothing else. A file of user data that has braces of its own is sent as it is without `template: true`.";
    UnknownVariable "unknown_variable" shown, "a variable that does not exist":
        "The variable is not in `vars`. Inserting nothing would make another name out of the one that was meant.";
    NotAvailableHere "not_available_here" shown, "a value of a single server":
        "`host.*` differs from server to server, so it stands only in what is done for one server: the arguments of `run` and `undo`, `env`, checks from outside, and user data that is a template. `matrix.*` is a value of the `matrix` of the fleet that it stands in.";
    UnknownHostValue "unknown_host_value" shown, "a value that no server has":
        "Of a server there are `host.id`, `host.name`, `host.az`, `host.ip` (its first fixed IPv4 address) and `host.tag.KEY`.";
    UnusedVariable "unused_variable" shown, "a variable that nothing uses":
        "It may be a leftover, or a misspelling of the one that is used.";
    NoFleets "no_fleets" shown, "no fleet":
        "Without a fleet nothing is selected, and nothing selected is an error at every layer.";
    NoHosts "no_hosts" shown, "a fleet that selects nothing":
        "An empty list of hosts never means all servers.";
    EmptySelector "empty_selector" shown, "a selector without a condition":
        "A selector without a condition would mean every server of the project. There is no value that says so by accident.";
    EveryServer "every_server" shown, "every server of the project":
        "A fleet of `name: \"*\"` has every server that the user can see, also those that are made tomorrow.";
    TooManyPatterns "too_many_patterns" told, "more patterns than a playbook can have":
        "Every pattern is compared with the name of every server, so there may be 1,000 of them. Names without `*`, `?`, `[` or `{` do not count. A tag says the same in one line, and long lists of servers belong into a file of their own.";
    BadGlob "bad_glob" shown, "a malformed pattern":
        "`*` is any text, `?` any character, `[ab]` one of these, `{a,b}` one of these texts.";
    FileAndConditions "file_and_conditions" shown, "a file and a condition in one entry":
        "Keys of one entry must all hold, and a file is not a condition on a server.";
    FileUnreadable "file_unreadable" shown, "a file that cannot be read":
        "Files that a playbook names are read when it is checked, and their hash goes into the plan.";
    EmptyInventory "empty_inventory" shown with "txt", "an inventory without a server":
        "The file lists no server. Nothing selected is an error.";
    PatternInInventory "pattern_in_inventory" shown with "txt", "a pattern in an inventory":
        "An inventory lists servers one by one; patterns belong into the playbook.";
    ListedTwice "listed_twice" shown with "txt", "a server twice in one inventory":
        "One of the lines may have been meant as another server.";
    BadInventory "bad_inventory" shown with "txt", "not the format that the file should have":
        "A file's lines say its format, or else its name: `.csv` and `.tsv` a table, `.ini` and `.cfg` or `.yaml` and `.yml` an inventory of Ansible, `.json` what `terraform show -json`, `ansible-inventory --list` or `openstack server list -f json` prints. Any other file has one id or name a line. Nothing is read halfway.";
    UnknownColumn "unknown_column" shown with "csv", "a column that does not exist":
        "Columns of a CSV file are `id`, `name`, and keys of an override with dots, such as `reinstall.key_name`. A misspelt one would otherwise be ignored, and the fleet's value be used.";
    BadRow "bad_row" shown with "csv", "a row that does not fit":
        "Every row says which server it is about, and has one cell for each column. `-` leaves a key as the fleet has it.";
    BadRange "bad_range" shown with "ini", "not a range of names":
        "`web-[01:10]` stands for ten names, `db-[a:c]` for three. Zeros in front are kept.";
    UnknownGroup "unknown_group" shown with "ini", "a group that does not exist":
        "The file has no group of this name; groups of Terraform are addresses of resources and modules, without the keys of `count` and `for_each`, or with them for one instance.";
    GroupNeeded "group_needed" shown with "ini", "a file with several groups":
        "An inventory of Ansible, or a state of Terraform, holds servers for many purposes. Which of them are to be wiped is said, never guessed; `group: all` says that all are meant.";
    LonelyGroup "lonely_group" shown, "a group of nothing":
        "`group` chooses among the groups of a file. Without a file, or in one that is a plain list, it says nothing.";
    LooserGuard "looser_guard" shown with "inc", "a guard that is looser than an included one":
        "Guards of files that a playbook includes can only get stricter. The strictest of several files holds; one of the playbook itself that is looser would only seem to hold, and a file that is included cannot switch off a guard.";
    DuplicateFleet "duplicate_fleet" shown with "inc", "a fleet in two files":
        "One would replace the other.";
    IncludeCircle "include_circle" shown with "inc", "files that include each other":
        "There is no end to it.";
    TooManyIncludes "too_many_includes" told, "too many files":
        "Files may include files 8 deep, and 64 in all.";
    UnusedMatrixKey "unused_matrix_key" shown, "a key of a matrix that nothing inserts":
        "Each value makes a fleet of its own. Where nothing differs, all of them would be the same servers.";
    RepeatedValue "repeated_value" shown, "a value twice in a matrix":
        "Both would make the same fleet.";
    TooManyParts "too_many_parts" shown, "a matrix with too many parts":
        "Each combination of values is a fleet of its own, with a canary and waves, and they go one after another. There may be 100.";
    BadUrl "bad_url" shown, "not an address to look at":
        "An address of `verify` is http:// or https://, a host, and what is asked for there. It has no user and no password: it is shown in plans and reports.";
    UnknownFleet "unknown_fleet" shown, "a fleet that does not exist":
        "`depends_on` names a fleet that the playbook does not have.";
    DependsOnItself "depends_on_itself" shown, "a fleet that waits for itself":
        "It would never start.";
    DependsTwice "depends_twice" shown, "a dependency twice":
        "The two could differ in how much must be verified.";
    NoWait "no_wait" shown, "a backup that is not waited for":
        "The cloud refuses to wipe a server while it is backed up (Ecs.0073), and a backup that fails after the wipe is no way back. So a server is stopped only once its backup can be restored.";
    TwoLogins "two_logins" shown, "a key pair and a password":
        "The cloud sets one way to log in. Given both, it would ignore one, and that may be the one you need.";
    InlineSecret "inline_secret" shown, "a password in the playbook":
        "Playbooks are kept in git and shown in reviews. Passwords are given by reference: an environment variable, a file or a command. The value is read right before it is sent, and kept nowhere.";
    LonelyOwner "lonely_owner" shown, "an owner without a key":
        "`key_owner` says whose key pair `key_name` is; alone it says nothing.";
    PauseWithoutCanary "pause_without_canary" shown, "a pause after no canary":
        "`pause: after_canary` waits for an approval between the canary and the rest. With `canary: 0` there is no such place, and the run would go on without asking anybody.";
    EmptyOverride "empty_override" shown, "an override that changes nothing":
        "It matches servers and leaves them as they are.";
    UnreachableOverride "unreachable_override" shown, "an override that later ones undo":
        "Of several overrides that match a server the last one wins, key by key. One whose every key is said again by a later override of the same servers, or of more, never has a say.";
    MissingStep "missing_step" shown, "a step is missing":
        "The five steps belong together: none of them can be left out without losing the others' safety.";
    RepeatedStep "repeated_step" shown, "a step twice":
        "Each step is made once for each server; trying again is `retry`.";
    StepOrder "step_order" shown, "steps in another order":
        "A server is compared with its plan directly before it is wiped; nothing may come between.";
    NotARun "not_a_run" shown, "a key of `run` at another step":
        "`undo`, `timeout`, `env`, `cwd` and `once` say how a program is run. The five steps of the loop have their own keys.";
    StepIdTaken "step_id_taken" shown, "two steps with one id":
        "`after` could mean either.";
    UnknownStep "unknown_step" shown, "a step that does not exist":
        "`after` names an id that no step of the fleet has.";
    SimulatorUnused "simulator_unused" shown, "`simulator` with another cloud":
        "The key describes the cloud inside refleet; with another cloud it has no effect.";
    TwoWorlds "two_worlds" shown, "two descriptions of the simulated cloud":
        "Either so many healthy servers, or a file that describes them.";
    ExpectTooMany "expect_too_many" shown, "more servers expected than allowed":
        "The fleets together expect more servers than `guards.max_hosts` lets into a plan, so that no plan could ever be made.";
}

impl Code {
    /// Every code says so for itself: one that is new cannot be forgotten.
    #[expect(clippy::too_many_lines, reason = "a table, with a line for each code")]
    const fn nature(self) -> Nature {
        match self {
            // A blank is `null` to JSON, and `null` may stand where a value is inherited.
            Self::TooLarge
            | Self::NotUtf8
            | Self::Syntax
            | Self::TooDeep
            | Self::TooManyNodes
            | Self::SeveralDocuments
            | Self::Empty
            | Self::DuplicateKey
            | Self::UnknownAlias
            | Self::UnquotedGlob
            | Self::UnquotedInsert
            | Self::ComplexKey
            | Self::Tag
            | Self::BadMerge
            | Self::Blank => Nature::Text,
            Self::UnknownKey
            | Self::MissingKey
            | Self::WrongType
            | Self::NullHere
            | Self::UnknownWord
            | Self::NotAFlag
            | Self::BadDuration
            | Self::BadRate
            | Self::BadShare
            | Self::BadNumber
            | Self::BadTag
            | Self::BadName
            | Self::Version
            | Self::NotOne
            | Self::EmptyList
            | Self::NoFleets
            | Self::NoHosts
            | Self::EmptySelector
            | Self::InlineSecret => Nature::Shape,
            Self::InsertInVars
            | Self::BadInsert
            | Self::UnknownVariable
            | Self::NotAvailableHere
            | Self::UnknownHostValue
            | Self::UnusedVariable
            | Self::EveryServer
            | Self::TooManyPatterns
            | Self::BadGlob
            | Self::FileAndConditions
            | Self::FileUnreadable
            | Self::EmptyInventory
            | Self::BadInventory
            | Self::UnknownColumn
            | Self::BadRow
            | Self::BadRange
            | Self::UnknownGroup
            | Self::GroupNeeded
            | Self::LonelyGroup
            | Self::PatternInInventory
            | Self::ListedTwice
            | Self::LooserGuard
            | Self::DuplicateFleet
            | Self::IncludeCircle
            | Self::TooManyIncludes
            | Self::UnusedMatrixKey
            | Self::RepeatedValue
            | Self::TooManyParts
            | Self::UnknownFleet
            | Self::DependsOnItself
            | Self::DependsTwice
            | Self::NoWait
            | Self::TwoLogins
            | Self::LonelyOwner
            | Self::PauseWithoutCanary
            | Self::EmptyOverride
            | Self::UnreachableOverride
            | Self::MissingStep
            | Self::RepeatedStep
            | Self::StepOrder
            | Self::NotARun
            | Self::StepIdTaken
            | Self::UnknownStep
            | Self::SimulatorUnused
            | Self::TwoWorlds
            | Self::BadUrl
            | Self::ExpectTooMany => Nature::Sense,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_code_is_explained_with_and_without_its_prefix() {
        assert_eq!(explain("unknown_key").unwrap().code, "playbook::unknown_key");
        assert_eq!(explain("playbook::unknown_key").unwrap().title, "a key that does not exist");
        assert!(explain("unknown").is_none());
    }

    #[test]
    fn codes_are_unique() {
        let unique: std::collections::BTreeSet<_> = codes().collect();
        assert_eq!(unique.len(), codes().count());
    }
}

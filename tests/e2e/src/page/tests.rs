use super::*;

const FIRST: &str = "```sh environment\nexport NAME=value\n```\n";

fn page(rest: &str) -> Page {
    Page::parse("test", &format!("# A page\n\n{FIRST}\n{rest}")).expect("it is a page")
}

fn run(rest: &str) {
    page(rest).run(&BTreeMap::from([("NAME", "given".to_owned())]));
}

#[test]
fn a_block_is_run_or_says_why_not() {
    let not_run = "```sh not-run=\"why\"\n```\n";
    let cases = [
        ("```\nls\n```\n", "5: `` does not say"),
        ("```js\n1\n```\n", "5: `js` does not say"),
        ("```sh not-run\nls\n```\n", "5: `sh not-run` does not say"),
        ("```sh not-run=\"\"\nls\n```\n", "5: `sh not-run=\"\"` does not say"),
        ("```js file=../a\n1\n```\n", "5: `js file=../a` does not say"),
        ("```sh environment\n```\n", "5: `sh environment` is not at its place"),
        ("```text output\na\n```\n", "5: `text output` is not at its place"),
        (
            "```sh\nls\n```\n```text output\n…\n```\n",
            "8: `text output` is not at its place",
        ),
        ("```sh\nls\n", "5: the block does not end"),
        ("- ```sh\n", "5: a block that does not begin"),
        ("  ```sh\n  ls\n  ```\n", "5: a block that does not begin"),
        (&not_run.repeat(NOT_RUN_MAX), ""),
        (&not_run.repeat(NOT_RUN_MAX + 1), "1: more than 3 blocks are not run"),
    ];
    for (rest, expected) in cases {
        let mistake = Page::parse("test", &format!("# A page\n{FIRST}{rest}"))
            .err()
            .unwrap_or_default();
        assert!(mistake.starts_with(expected), "{rest}: {mistake}");
        assert_eq!(mistake.is_empty(), expected.is_empty(), "{rest}: {mistake}");
    }
}

#[test]
fn what_is_shown_matches_what_came() {
    let cases = [
        ("a\nb", "a\nb\n", true),
        ("a\nb", "a\n", false),
        ("a", "a\nb\n", false),
        ("a…c", "abc\n", true),
        ("a…c", "a\nc\n", false),
        ("…\nc", "a\nb\nc\n", true),
        ("a\n…\nb", "a\nb\n", true),
        ("a\n…", "a\n", true),
        ("a\n…", "b\n", false),
        ("1.5 (x)", "1.5 (x)\n", true),
        ("1.5 (x)", "1x5 (x)\n", false),
        ("", "a\n", false),
    ];
    for (shown, found, expected) in cases {
        assert_eq!(pattern(shown).is_match(found), expected, "{shown:?} {found:?}");
    }
}

#[test]
fn blocks_share_a_shell_and_see_the_values_of_the_test() {
    run("```sh\necho \"$NAME\"; said=yes\nmkdir -p a && cd a\n```\n\
         ```text output\ngiven\n```\n\
         ```txt file=it\n$NAME `date`\n```\n\
         ```sh\necho $said\ncat it\nbasename \"$PWD\"; ls ..; [ -z \"${TIDEWATCH_TEST_KAFKA:-}\" ]\n```\n\
         ```text output\nyes\n$NAME `date`\na\na\n```\n");
}

#[test]
#[should_panic(expected = "docs/producers/test.md:12: exit status: 3")]
fn a_block_that_fails_is_named() {
    run("```sh\ntrue\n```\n\n```sh\n(exit 3)\n```\n\n```sh\ntrue\n```\n");
}

#[test]
#[should_panic(expected = "exit status: 1")]
fn a_pipe_that_fails_in_the_middle_fails() {
    run("```sh\nfalse | cat\n```\n");
}

#[test]
#[should_panic(expected = "the page shows\none\n\nand what came is\ntwo\n")]
fn another_output_is_a_failure() {
    run("```sh\necho two\n```\n```text output\none\n```\n");
}

#[test]
#[should_panic(expected = "no test knows OTHER")]
fn a_page_exports_only_what_a_test_gives() {
    let text = "```sh environment\nexport OTHER=value\n```\n";
    Page::parse("test", text).expect("it is a page").run(&BTreeMap::new());
}

#[test]
fn what_a_page_leaves_running_is_ended() {
    let file = tempfile::NamedTempFile::new().expect("a file");
    let path = file.path().display();
    run(&format!("```sh\nsleep 1000 &\necho $! >'{path}'\n```\n"));
    let pid = std::fs::read_to_string(file.path()).expect("our file");
    let process = Path::new("/proc").join(pid.trim());
    let gone = || (!process.join("cwd").exists()).then_some(());
    crate::process::wait_for("the end of what is left running", Duration::from_secs(10), gone);
}

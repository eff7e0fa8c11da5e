use std::collections::BTreeSet;

use serde_json::Value;

use super::*;
use crate::{Format, Imported, aggregate, classes_of_config, export, import};

const NO: Answer = Answer::Class(0);
const YES: Answer = Answer::Class(1);

fn labelled() -> (TempDir, Job) {
    let (dir, mut job) = job();
    label(&job, "ann", &[("r1", YES), ("r2", NO), ("r3", YES), ("r4", Answer::Skip), ("r6", Answer::Unsure)]);
    label(&job, "Ben O.", &[("r1", YES), ("r2", YES), ("r3", YES), ("r4", NO)]);
    label(&job, "model/7b", &[("r1", NO), ("r2", NO), ("r6", NO)]);
    job.add_gold(&[(3, 0)]).expect("gold");
    (dir, job)
}

fn written(job: &Job, format: Format) -> String {
    let labels = Labels::open(job).expect("labels");
    export(job, &labels, &aggregate(job, &labels), format).expect("exported")
}

/// Imports a text into a fresh job of the same items.
fn taken(dir: &TempDir, name: &str, text: &str) -> (Job, Imported) {
    let fresh = dir.path().join(format!("of-{name}"));
    let mut job = init(&fresh, &dir.path().join("texts.csv")).run().expect("a job");
    let file = dir.path().join(name);
    files::write(&file, text.as_bytes()).expect("written");
    let mut labels = Labels::open(&job).expect("labels");
    let imported = import(&mut job, &mut labels, &file, &Entropy::seeded([9; 32])).expect("imported");
    let again = import(&mut job, &mut labels, &file, &Entropy::seeded([9; 32])).expect("imported");
    assert_eq!(
        (again.labels, again.known, again.gold),
        (0, imported.labels, 0),
        "the second time adds nothing"
    );
    (job, imported)
}

type Given = (String, usize, Answer, Option<u64>, Option<u64>);

fn answers(job: &Job) -> BTreeSet<Given> {
    let labels = Labels::open(job).expect("labels");
    let all = labels.answers();
    all.map(|(worker, item, answer, label)| {
        (worker.to_owned(), item, answer, label.lead_time.map(f64::to_bits), label.at)
    })
    .collect()
}

#[test]
fn tables_and_tasks_come_back_as_they_went_out() {
    let (dir, job) = labelled();
    for (name, format) in
        [("l.csv", Format::Csv), ("l.jsonl", Format::Jsonl), ("l.json", Format::LabelStudio)]
    {
        let text = written(&job, format);
        let (back, imported) = taken(&dir, name, &text);
        assert_eq!(answers(&back), answers(&job), "{name}");
        assert_eq!((imported.labels, imported.workers), (12, 3), "{name}");
        if format == Format::LabelStudio {
            assert_eq!((imported.gold, &back.gold), (1, &job.gold));
            assert!(imported.predictions > 0);
        } else {
            assert_eq!(written(&back, format), text);
        }
    }
    let (back, _) = taken(&dir, "l2.json", &written(&job, Format::LabelStudio));
    assert_eq!(written(&back, Format::LabelStudio), written(&job, Format::LabelStudio));
}

#[test]
fn crowd_kit_tables_have_the_votes_alone() {
    let (dir, job) = labelled();
    let text = written(&job, Format::CrowdKit);
    assert!(text.starts_with("task,worker,label\nr1,Ben O.,positive\n"), "{text}");
    let (back, imported) = taken(&dir, "table.csv", &text);
    assert_eq!((imported.labels, written(&back, Format::CrowdKit)), (10, text));
    let lines = "{\"task\":\"r1\",\"worker\":\"w\",\"label\":\"positive\"}\n";
    assert_eq!(taken(&dir, "table.jsonl", lines).1.labels, 1);
}

#[test]
fn tasks_have_annotations_ground_truth_and_the_posterior() {
    let (_dir, job) = labelled();
    let tasks: Value = serde_json::from_str(&written(&job, Format::LabelStudio)).expect("JSON");
    let task = &tasks[0];
    assert_eq!((task["data"]["text"].as_str(), task["data"]["name"].as_str()), (Some("good"), Some("r1")));
    let annotation = &task["annotations"][0];
    assert_eq!(annotation["result"][0]["value"]["choices"][0], "positive");
    assert_eq!(
        (annotation["lead_time"].as_f64(), annotation["ground_truth"].as_bool()),
        (Some(1.5), Some(false))
    );
    assert_eq!(annotation["created_at"], "2023-11-14T22:13:20.000Z");
    let scores: Vec<f64> =
        task["predictions"].as_array().expect("some").iter().filter_map(|p| p["score"].as_f64()).collect();
    let labels = Labels::open(&job).expect("labels");
    assert_eq!(scores[0], aggregate(&job, &labels)[0].certainty());
    let gold = tasks[3]["annotations"].as_array().expect("some").iter().filter(|a| a["ground_truth"] == true);
    assert_eq!(gold.count(), 1);
    assert_eq!(tasks[3]["annotations"][1]["was_cancelled"], true, "{}", tasks[3]);
}

#[test]
fn what_label_studio_itself_exports_is_taken_over() {
    let (dir, _job) = job();
    let text = r#"[{"id": 31, "data": {"text": "bad"}, "annotations": [
        {"id": 1, "completed_by": 10, "was_cancelled": false, "ground_truth": false, "lead_time": 4.288,
         "created_at": "2021-03-09T22:16:08.728353Z", "result": [
            {"from_name": "sentiment", "to_name": "t", "type": "choices", "value": {"choices": ["negative"]}}]},
        {"id": 2, "completed_by": {"id": 3, "email": "eve@example.org"}, "was_cancelled": true, "result": []}],
        "predictions": [{"model_version": "m", "score": 0.9, "result": []}]}]"#;
    let (job, imported) = taken(&dir, "export.json", text);
    assert_eq!(imported, Imported { labels: 2, known: 0, workers: 2, gold: 0, predictions: 1 });
    let expected = [
        ("eve@example.org".to_owned(), 1, Answer::Skip, None, None),
        ("user-10".to_owned(), 1, NO, Some(4.288_f64.to_bits()), Some(1_615_328_168_728)),
    ];
    assert_eq!(answers(&job), expected.into());
}

#[test]
fn a_labelling_config_has_the_classes_and_gives_them_back() {
    let (dir, job) = job();
    let xml = written(&job, Format::LabelStudioConfig);
    assert_eq!(classes_of_config(&xml), Ok(job.file.classes));
    let classes = vec!["R&D".to_owned(), "\"a\" < 'b'".to_owned()];
    let odd =
        Init { classes: classes.clone(), ..init(&dir.path().join("odd"), &dir.path().join("texts.csv")) };
    let xml = written(&odd.run().expect("a job"), Format::LabelStudioConfig);
    assert_eq!(classes_of_config(&xml), Ok(classes));
    let foreign = "<?xml version='1.0'?><!-- <Choices> --><View>\n<Text name=\"t\" value=\"$t\"/>\n<Choices name='c' \
        toName=\"t\">\n<Choice value=\"x &gt; y\" alias='1'/><Choice value='&#233;t&#xe9;'></Choice></Choices></View>";
    assert_eq!(classes_of_config(foreign), Ok(vec!["x > y".to_owned(), "été".to_owned()]));
    let refused = [
        ("<View></View>", "no <Choices>"),
        ("<View><RectangleLabels name='a'/></View>", "<RectangleLabels> isn't labelled"),
        ("<View><Choices choice=\"multiple\"/></View>", "several classes at once"),
        ("<View><Choices/><Choices/></View>", "more than one <Choices>"),
        ("<View><Choice value=>", "an attribute without a value"),
        ("<View", "a tag without an end"),
        ("<Choice value='&nope;'/>", "&nope; is unknown"),
    ];
    for (xml, why) in refused {
        let error = classes_of_config(xml).expect_err(why);
        assert!(error.contains(why), "{error}");
    }
}

#[test]
fn a_file_of_other_items_or_classes_is_refused_with_its_line() {
    let (dir, mut job) = job();
    let mut labels = Labels::open(&job).expect("labels");
    let cases = [
        (
            "a.csv",
            "task,worker,label\nr1,w,positive\nr9,w,positive\n",
            "a.csv: line 3: \"r9\" is no item of the job",
        ),
        ("b.csv", "task,worker,label\nr1,w,great\n", "line 2: \"great\" is no class"),
        ("c.csv", "task,label\nr1,positive\n", "line 2: nothing in the column `worker`"),
        (
            "d.jsonl",
            "{\"task\":\"r1\",\"worker\":\"w\",\"label\":\"undo\"}\n",
            "line 1: \"undo\" is no class",
        ),
        ("e.json", "{}", "these are no tasks of Label Studio"),
        ("f.json", "[{\"data\":{\"text\":\"other\"}}]", "task 1: it is no item of the job"),
        ("g.xml", "<View/>", "not .xml"),
        ("h.csv", "task,worker,label,lead_time\nr1,w,positive,-1\n", "a lead time of \"-1\""),
    ];
    for (name, text, why) in cases {
        let file = dir.path().join(name);
        files::write(&file, text.as_bytes()).expect("written");
        let error = import(&mut job, &mut labels, &file, &Entropy::system()).expect_err(why).to_string();
        assert!(error.contains(why), "{error}");
    }
    assert!(Labels::open(&job).expect("labels").workers.is_empty(), "nothing of a refused file is kept");
}

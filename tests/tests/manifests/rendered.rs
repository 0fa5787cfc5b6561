//! What an overlay becomes: objects, and the pods that they make.

use std::fs;
use std::io::Write as _;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::sync::LazyLock;

use bellhop_tests::tree;
use serde_json::{Map, Value, json};

/// The versions of Kubernetes that the manifests are for, from the oldest to the newest.
pub(crate) const KUBERNETES: [&str; 2] = ["1.30", "1.37"];

/// The namespace of Bellhop itself.
pub(crate) const NAMESPACE: &str = "bellhop";

/// An overlay as `kubectl kustomize` renders it.
pub(crate) struct Overlay {
    pub(crate) name: String,
    pub(crate) objects: Vec<Object>,
    /// What does not conform to its schema, in a sentence each.
    pub(crate) problems: Vec<String>,
}

/// One object of Kubernetes.
pub(crate) struct Object(Value);

/// A pod that an object makes.
pub(crate) struct Pod<'o> {
    pub(crate) owner: &'o Object,
    pub(crate) labels: Map<String, Value>,
    /// Its specification; `null` where an operator writes it.
    pub(crate) spec: &'o Value,
}

/// Every overlay, rendered once.
pub(crate) fn overlays() -> &'static [Overlay] {
    static OVERLAYS: LazyLock<Vec<Overlay>> = LazyLock::new(|| {
        let folder = kubernetes().join("overlays");
        let entries = fs::read_dir(&folder).expect("there are overlays");
        let mut names: Vec<String> = entries
            .map(|entry| entry.expect("it can be read").file_name().to_string_lossy().into_owned())
            .collect();
        names.sort();
        assert_eq!(names, ["local", "managed", "production"], "the overlays that the README tells of");
        std::thread::scope(|scope| {
            let rendering: Vec<_> = names.into_iter().map(|name| scope.spawn(move || render(name))).collect();
            rendering.into_iter().map(|one| one.join().expect("it is rendered")).collect()
        })
    });
    &OVERLAYS
}

/// The folder of all manifests.
pub(crate) fn kubernetes() -> PathBuf {
    tree::repository().join("deploy/kubernetes")
}

/// Applies a check to every overlay and collects what it finds, with the overlay's name before it.
pub(crate) fn across<I: IntoIterator<Item = String>>(check: impl Fn(&'static Overlay) -> I) -> Vec<String> {
    let found = overlays().iter().flat_map(|overlay| {
        let told = check(overlay).into_iter();
        told.map(|problem| format!("{}: {problem}", overlay.name)).collect::<Vec<_>>()
    });
    found.collect()
}

impl Overlay {
    /// The objects of a kind.
    pub(crate) fn of_kind<'o>(&'o self, kind: &'o str) -> impl Iterator<Item = &'o Object> {
        self.objects.iter().filter(move |object| object.kind() == kind)
    }

    /// Every pod that runs, or may run, when the overlay is applied.
    pub(crate) fn pods(&self) -> impl Iterator<Item = Pod<'_>> {
        self.objects.iter().filter_map(Object::pod)
    }

    /// The pods that run the program.
    pub(crate) fn own_pods(&self) -> impl Iterator<Item = Pod<'_>> {
        self.pods().filter(|pod| pod.owner.namespace() == NAMESPACE)
    }

    /// The labels of a namespace; none when it is not one of the overlay's.
    pub(crate) fn labels_of_namespace(&self, name: &str) -> Option<Map<String, Value>> {
        let found = self.of_kind("Namespace").find(|namespace| namespace.name() == name)?;
        let mut labels = found.at("/metadata/labels").as_object().cloned().unwrap_or_default();
        labels.insert("kubernetes.io/metadata.name".to_owned(), name.into());
        Some(labels)
    }

    /// A setting that the ConfigMap of all processes has.
    pub(crate) fn setting(&self, name: &str) -> &str {
        let value = self.config()[name].as_str();
        value.unwrap_or_else(|| panic!("{}: the settings have no {name}", self.name))
    }

    /// The ConfigMap of all processes.
    pub(crate) fn config(&self) -> &Value {
        let mut found = self.of_kind("ConfigMap").filter(|map| map.name().starts_with("bellhop-config-"));
        found.next().expect("there are settings").at("/data")
    }
}

impl Object {
    pub(crate) fn kind(&self) -> &str {
        self.text("/kind")
    }

    pub(crate) fn name(&self) -> &str {
        self.text("/metadata/name")
    }

    /// The namespace; empty for what has none.
    pub(crate) fn namespace(&self) -> &str {
        self.at("/metadata/namespace").as_str().unwrap_or_default()
    }

    /// For messages.
    pub(crate) fn title(&self) -> String {
        format!("{} {}", self.kind(), self.name())
    }

    /// A part of it, by JSON pointer; `null` when it is not there.
    pub(crate) fn at(&self, pointer: &str) -> &Value {
        self.0.pointer(pointer).unwrap_or(&Value::Null)
    }

    /// A part that is text.
    pub(crate) fn text(&self, pointer: &str) -> &str {
        self.at(pointer).as_str().unwrap_or_else(|| panic!("{pointer} of {} is text", self.0))
    }

    /// The pod it makes, if it makes one.
    fn pod(&self) -> Option<Pod<'_>> {
        let template = match self.kind() {
            "Deployment" | "StatefulSet" | "Job" => self.at("/spec/template"),
            "CronJob" => self.at("/spec/jobTemplate/spec/template"),
            "RabbitmqCluster" => {
                // What its operator gives the nodes.
                let labels = json!({
                    "app.kubernetes.io/name": self.name(),
                    "app.kubernetes.io/component": "rabbitmq",
                    "app.kubernetes.io/part-of": "rabbitmq",
                });
                let labels = labels.as_object().cloned().expect("it is an object");
                return Some(Pod { owner: self, labels, spec: &Value::Null });
            }
            _ => return None,
        };
        let labels = template["metadata"]["labels"].as_object().cloned().unwrap_or_default();
        Some(Pod { owner: self, labels, spec: &template["spec"] })
    }
}

impl<'o> Pod<'o> {
    /// The value of the label that tells what the pod is; empty when there is none.
    pub(crate) fn component(&self) -> &str {
        self.labels.get("app.kubernetes.io/component").and_then(Value::as_str).unwrap_or_default()
    }

    /// Every container, those that run first included.
    pub(crate) fn containers(&self) -> impl Iterator<Item = &'o Value> + use<'o> {
        list(&self.spec["initContainers"]).chain(list(&self.spec["containers"]))
    }

    /// The only container of a pod that runs the program.
    pub(crate) fn program(&self) -> &'o Value {
        let mut containers = self.containers();
        let program = containers.next().expect("a pod has a container");
        assert!(containers.next().is_none(), "{} runs the program and nothing beside it", self.owner.title());
        program
    }
}

/// The items of a list; none of what is no list.
pub(crate) fn list(value: &Value) -> impl Iterator<Item = &Value> {
    value.as_array().into_iter().flatten()
}

/// Renders an overlay with kubectl, and has it read and judged.
fn render(name: String) -> Overlay {
    let tools = tree::repository().join("target/tools/python/bin");
    let folder = kubernetes().join("overlays").join(&name);
    let rendered = run(Command::new(tools.join("kubectl")).arg("kustomize").arg(folder), b"");
    let mut judge = Command::new(tools.join("python"));
    judge.arg(tree::tests("tools/manifests.py")).args(KUBERNETES);
    let judged: Value = serde_json::from_slice(&run(&mut judge, &rendered)).expect("it prints JSON");
    let objects = list(&judged["objects"]).cloned().map(Object).collect();
    let problems = list(&judged["problems"]).filter_map(Value::as_str).map(ToOwned::to_owned).collect();
    Overlay { name, objects, problems }
}

/// Runs a command to its end.
///
/// # Panics
/// With what it complained about when it fails.
pub(crate) fn run(command: &mut Command, input: &[u8]) -> Vec<u8> {
    let child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn();
    let mut child = child.unwrap_or_else(|error| {
        panic!("{command:?} cannot be started: {error}; tests/tools/install makes it ready")
    });
    // What is read is small and read whole before anything is printed, so this cannot wait for itself.
    let mut stdin = child.stdin.take().expect("it has a standard input");
    stdin.write_all(input).expect("it reads its input");
    drop(stdin);
    let output = child.wait_with_output().expect("it ends");
    assert!(output.status.success(), "{command:?}: {}", String::from_utf8_lossy(&output.stderr));
    output.stdout
}

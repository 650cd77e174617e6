//! Logs are followed through every kind of rotation and over restarts: nothing is missed.

use std::fs::{self, File, OpenOptions};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::time::Duration;

use ingest::{Deliver, StopFlag, Tail, TailOptions, Undelivered, drain};
use ledger::{Ledger, Options};

use crate::world::{entries, feeder, open_ledger};

/// A log, its follower and the ledger behind it.
struct Scene {
    directory: tempfile::TempDir,
    ledger: Ledger,
    tail: Tail,
    written: u64,
}

impl Scene {
    fn new() -> Self {
        Self::following("audit.log")
    }

    fn following(pattern: &str) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let ledger = open_ledger(directory.path(), Options { free_bytes_min: 0, ..Options::default() });
        let tail = Tail::open(options(directory.path(), pattern)).unwrap();
        Self { directory, ledger, tail, written: 0 }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    /// Appends so many events to a file.
    fn write(&mut self, name: &str, count: u64) {
        let mut file = OpenOptions::new().create(true).append(true).open(self.path(name)).unwrap();
        for number in self.written..self.written + count {
            file.write_all(&testkit::event(number)).unwrap();
            file.write_all(b"\n").unwrap();
        }
        self.written += count;
    }

    /// Reads until nothing is new.
    fn follow(&mut self) {
        let mut feeder = feeder(&self.ledger, StopFlag::default());
        while self.tail.poll(&mut feeder).unwrap() == ingest::Progress::Read {}
    }

    /// Forgets everything that is not on disk.
    fn restart(&mut self) {
        self.tail = Tail::open(options(self.directory.path(), "audit.log")).unwrap();
    }

    fn rename(&self, from: &str, to: &str) {
        fs::rename(self.path(from), self.path(to)).unwrap();
    }

    fn pack(&self, name: &str) {
        let content = fs::read(self.path(name)).unwrap();
        let mut gzip = flate2::write::GzEncoder::new(
            File::create(self.path(&format!("{name}.gz"))).unwrap(),
            flate2::Compression::fast(),
        );
        gzip.write_all(&content).unwrap();
        gzip.finish().unwrap();
        fs::remove_file(self.path(name)).unwrap();
    }

    /// Everything that was written is in the log, once, in order; and was not read again as duplicates.
    fn assert_complete(&self) {
        let kept: Vec<_> = entries(&self.ledger).into_iter().map(|(_, bytes)| bytes).collect();
        let expected: Vec<_> = (0..self.written).map(testkit::event).collect();
        assert_eq!(kept.len(), expected.len());
        assert!(kept == expected, "the order differs");
    }

    fn assert_read_once(&self) {
        self.assert_complete();
        assert_eq!(self.ledger.stats().duplicates, 0);
    }
}

fn options(directory: &Path, pattern: &str) -> TailOptions {
    let mut options = TailOptions::new(directory.join(pattern), directory.join("positions"));
    options.partial_line_patience = Duration::from_millis(200);
    options
}

const FIRST: &str = "audit-2026-01-02T03-04-05.678.log";
const SECOND: &str = "audit-2026-01-02T03-05-05.678.log";

#[test]
fn lines_are_read_once_also_after_a_restart() {
    let mut scene = Scene::new();
    scene.follow(); // the file need not exist yet
    for _ in 0..3 {
        scene.write("audit.log", 700);
        scene.follow();
        scene.restart();
    }
    scene.follow();
    scene.assert_read_once();
}

#[test]
fn a_partial_line_waits() {
    let mut scene = Scene::new();
    scene.write("audit.log", 2);
    let whole = fs::read(scene.path("audit.log")).unwrap();
    for cut in [whole.len() / 2 - 5, whole.len() - 1] {
        fs::write(scene.path("audit.log"), &whole[..cut]).unwrap();
        scene.follow();
        std::thread::sleep(Duration::from_millis(250));
        scene.follow();
        assert_eq!(entries(&scene.ledger).len(), usize::from(cut > whole.len() / 2));
        scene.restart();
    }
    fs::write(scene.path("audit.log"), &whole).unwrap();
    scene.follow();
    scene.assert_complete();
}

#[test]
fn the_api_servers_own_rotation_is_followed() {
    let mut scene = Scene::new();
    scene.write("audit.log", 100);
    scene.follow();
    scene.write("audit.log", 100); // not read before it is renamed
    scene.rename("audit.log", FIRST);
    scene.write("audit.log", 100);
    scene.follow();
    scene.write("audit.log", 50);
    scene.rename("audit.log", SECOND);
    scene.pack(FIRST);
    scene.write("audit.log", 50);
    scene.follow();
    scene.restart();
    scene.follow();
    scene.assert_read_once();
}

#[test]
fn rotation_while_we_are_down_is_caught_up_in_order() {
    let mut scene = Scene::new();
    scene.write("audit.log", 100);
    scene.follow();
    scene.write("audit.log", 100);
    scene.rename("audit.log", FIRST);
    scene.pack(FIRST); // half of it has been read
    scene.write("audit.log", 100);
    scene.rename("audit.log", SECOND);
    scene.write("audit.log", 100);
    scene.restart();
    scene.follow();
    scene.assert_read_once();
}

#[test]
fn logrotate_with_numbers_is_followed() {
    let mut scene = Scene::new();
    for _ in 0..3 {
        scene.write("audit.log", 60);
        scene.follow();
        scene.write("audit.log", 60);
        for (from, to) in [("audit.log.2", "audit.log.3"), ("audit.log.1", "audit.log.2"), ("audit.log", "audit.log.1")]
        {
            if scene.path(from).exists() {
                scene.rename(from, to);
            }
        }
        scene.write("audit.log.1", 10); // the API server still holds the renamed file
        scene.follow();
    }
    scene.restart();
    scene.follow();
    scene.assert_read_once();
}

#[test]
fn copy_and_truncate_is_followed() {
    let mut scene = Scene::new();
    scene.write("audit.log", 200);
    scene.follow();
    scene.write("audit.log", 100);
    fs::copy(scene.path("audit.log"), scene.path("audit.log.1")).unwrap();
    File::create(scene.path("audit.log")).unwrap(); // truncates
    scene.write("audit.log", 300);
    scene.follow();
    scene.assert_read_once();
    fs::copy(scene.path("audit.log"), scene.path("audit.log.2")).unwrap();
    File::create(scene.path("audit.log")).unwrap();
    scene.restart();
    scene.follow();
    scene.write("audit.log", 20);
    scene.follow();
    scene.assert_read_once();
}

#[test]
fn the_zeros_of_a_truncated_sparse_file_are_skipped() {
    let mut scene = Scene::new();
    let file = File::create(scene.path("audit.log")).unwrap();
    file.set_len(5 << 20).unwrap();
    scene.follow();
    scene.write("audit.log", 10);
    scene.follow();
    scene.assert_read_once();
}

#[test]
fn a_deleted_log_is_read_to_its_end() {
    let mut scene = Scene::new();
    scene.write("audit.log", 10);
    scene.follow();
    scene.write("audit.log", 3_000);
    fs::remove_file(scene.path("audit.log")).unwrap();
    scene.follow();
    scene.write("audit.log", 10);
    scene.follow();
    scene.assert_read_once();
}

#[test]
fn a_pattern_follows_every_log_of_it() {
    let mut scene = Scene::following("*.log");
    scene.write("a.log", 10);
    scene.write("b.log", 10);
    scene.follow();
    scene.write("c.log", 10);
    scene.follow();
    scene.assert_read_once();
}

#[test]
fn an_unfinished_last_line_of_an_old_file_goes_after_a_while() {
    let mut scene = Scene::new();
    scene.write(FIRST, 1);
    OpenOptions::new().append(true).open(scene.path(FIRST)).unwrap().write_all(b"{\"cut\":").unwrap();
    scene.write("audit.log", 1);
    scene.follow();
    assert_eq!(entries(&scene.ledger).len(), 2);
    std::thread::sleep(Duration::from_millis(300));
    scene.follow();
    let kept = entries(&scene.ledger);
    assert_eq!((kept.len(), &kept[2].1[..]), (3, &b"{\"cut\":"[..]));
}

#[test]
fn the_place_is_saved_only_after_the_commit() {
    struct Refusing;
    impl Deliver for Refusing {
        fn push(&mut self, _: &[u8]) -> Result<(), Undelivered> {
            Ok(())
        }
        fn finish(&mut self) -> Result<(), Undelivered> {
            Err(Undelivered::Stopped)
        }
    }
    let mut scene = Scene::new();
    scene.write("audit.log", 10);
    assert!(scene.tail.poll(&mut Refusing).is_err());
    scene.follow();
    scene.assert_read_once();
    scene.restart();
    scene.follow();
    scene.assert_read_once();
}

#[test]
fn the_running_follower_notices_at_once_and_stops() {
    let mut scene = Scene::new();
    let stop = StopFlag::default();
    let tail = Tail::open(options(scene.directory.path(), "audit.log")).unwrap();
    let mut feeder = feeder(&scene.ledger, stop.clone());
    let following = {
        let stop = stop.clone();
        std::thread::spawn(move || tail.run(&mut feeder, &stop))
    };
    for _ in 0..5 {
        scene.write("audit.log", 10);
        let reader = scene.ledger.reader();
        let size = tlog::TreeSize::new(scene.written);
        assert_eq!(reader.wait_for(size, Duration::from_secs(5)).unwrap(), size);
    }
    stop.raise();
    following.join().unwrap();
    scene.assert_read_once();
}

#[test]
fn standard_input_is_drained() {
    let scene = Scene::new();
    let mut feeder = feeder(&scene.ledger, StopFlag::default());
    let text: Vec<u8> = (0..5_000).flat_map(|number| [testkit::event(number), b"\n".to_vec()].concat()).collect();
    assert_eq!(drain(&text[..], &mut feeder).unwrap(), text.len() as u64);
    assert_eq!(entries(&scene.ledger).len(), 5_000);
}

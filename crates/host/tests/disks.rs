//! The contract of a disk, kept by the real one and by the simulated one; and what only the simulated one does.

use std::{
    io::{ErrorKind, IoSlice},
    path::Path,
};

use host::{Access, Disk, Fault, Host, Secrecy, SimHost, Step, read_all, replace_file};

const CREATE: Access = Access::Create(Secrecy::Shared);

fn keeps_the_contract(disk: &dyn Disk, root: &Path) {
    let path = root.join("a/file");
    assert_eq!(disk.list(&root.join("a")).err().map(|error| error.kind()), Some(ErrorKind::NotFound));
    disk.create_dir_all(&root.join("a")).expect("made");
    assert_eq!(disk.open(&path, Access::Write).err().map(|error| error.kind()), Some(ErrorKind::NotFound));
    let file = disk.open(&path, CREATE).expect("made");
    assert_eq!(disk.open(&path, CREATE).err().map(|error| error.kind()), Some(ErrorKind::AlreadyExists));
    assert!(file.is_empty().expect("a length"));
    file.write_at(&[IoSlice::new(b""), IoSlice::new(b"one "), IoSlice::new(b"two")], 3).expect("written");
    let mut bytes = [1; 16];
    assert_eq!(file.read_at(&mut bytes, 0).expect("read"), 10);
    assert_eq!(&bytes[..10], b"\0\0\0one two");
    assert_eq!(file.read_at(&mut bytes, 100).expect("read"), 0);
    file.allocate(100).expect("room");
    assert_eq!(file.len().expect("a length"), 100);
    file.allocate(50).expect("room");
    assert_eq!(file.len().expect("a length"), 100);
    file.set_len(6).expect("cut");
    file.sync_data().expect("synced");
    assert_eq!(read_all(disk, &path, 6).expect("read"), b"\0\0\0one");
    assert_eq!(read_all(disk, &path, 5).err().map(|error| error.kind()), Some(ErrorKind::FileTooLarge));
    replace_file(disk, &path, Secrecy::Private, b"new").expect("replaced");
    assert_eq!(read_all(disk, &path, 9).expect("read"), b"new");
    assert_eq!(disk.list(&root.join("a")).expect("listed"), std::slice::from_ref(&path));
    let lock = disk.lock(&root.join("lock")).expect("asked");
    assert!(lock.is_some() && disk.lock(&root.join("lock")).expect("asked").is_none());
    drop(lock);
    assert!(disk.lock(&root.join("lock")).expect("asked").is_some());
    let owner = disk.owner(&root.join("a")).expect("asked");
    assert_eq!(owner.user, owner.ours);
    assert!(disk.free_space(root).expect("asked") > 0);
    disk.remove(&path).expect("removed");
    assert_eq!(disk.remove(&path).err().map(|error| error.kind()), Some(ErrorKind::NotFound));
}

#[test]
fn the_real_disk_keeps_the_contract() {
    let base = tempfile::tempdir().expect("a place");
    keeps_the_contract(&*Host::system().disk, base.path());
}

#[test]
fn the_simulated_disk_keeps_the_contract() {
    keeps_the_contract(&*SimHost::new(1).host().disk, Path::new("/data"));
}

#[test]
fn a_crash_keeps_what_was_synced_and_may_lose_the_rest() {
    let path = Path::new("/data/file");
    let (mut lost, mut kept) = (0, 0);
    for seed in 0..40 {
        let world = SimHost::new(seed);
        let disk = world.host().disk;
        disk.create_dir_all(Path::new("/data")).expect("made");
        let file = disk.open(path, CREATE).expect("made");
        file.write_at(&[IoSlice::new(b"safe")], 0).expect("written");
        file.sync_data().expect("synced");
        disk.sync_dir(Path::new("/data")).expect("synced");
        file.write_at(&[IoSlice::new(b"late")], 4).expect("written");
        world.disk.crash();
        assert!(file.len().is_err() && disk.list(Path::new("/data")).is_err(), "the process is dead");
        match &read_all(&*world.host().disk, path, 99).expect("there")[..] {
            b"safe" => lost += 1,
            b"safelate" => kept += 1,
            other => panic!("{other:?}"),
        }
    }
    assert!(lost > 0 && kept > 0, "{lost} lost, {kept} kept");
}

#[test]
fn faults_come_where_they_were_ordered() {
    let world = SimHost::new(1);
    let disk = world.host().disk;
    disk.create_dir_all(Path::new("/data")).expect("made");
    let file = disk.open(Path::new("/data/file"), CREATE).expect("made");
    for (fault, length) in [(Fault::Refused, 2), (Fault::DoneButReported, 4)] {
        world.disk.fail(Step::Write, 1, fault);
        file.write_at(&[IoSlice::new(b"ok")], 0).expect("the first one is spared");
        assert!(file.write_at(&[IoSlice::new(b"no")], 2).is_err());
        assert_eq!(file.len().expect("a length"), length);
        file.set_len(0).expect("cut");
    }
    world.disk.set_capacity(Some(3));
    assert_eq!(
        file.write_at(&[IoSlice::new(b"four")], 0).err().map(|error| error.kind()),
        Some(ErrorKind::StorageFull)
    );
}

//! The disks as a file system of SQLite's, as its own for Unix behaves (`os_unix.c`), without memory mapping.
//!
//! A journal or log that was opened so that it may be made syncs its directory with its first sync; the database file does
//! not. Time stands still; sleeping only yields. SQLite takes its chance from the default file system, not from this one.

use std::ffi::{CStr, c_char, c_int, c_void};
use std::sync::{Arc, LazyLock};

use rusqlite::ffi::{self, sqlite3_file, sqlite3_io_methods, sqlite3_vfs};

use crate::disk::Trouble;
use crate::model::folder_of;
use crate::shm::Shm;
use crate::{Content, Disk, Op};

const NAME: &CStr = c"crashfs";

/// Name of the file system, registered with SQLite at the first look at it.
pub static VFS: LazyLock<&'static str> = LazyLock::new(|| {
    let vfs = Box::leak(Box::new(sqlite3_vfs {
        iVersion: 2,
        szOsFile: size_of::<File>() as c_int,
        mxPathname: 512,
        pNext: std::ptr::null_mut(),
        zName: NAME.as_ptr(),
        pAppData: std::ptr::null_mut(),
        xOpen: Some(open),
        xDelete: Some(delete),
        xAccess: Some(access),
        xFullPathname: Some(full_pathname),
        xDlOpen: None,
        xDlError: None,
        xDlSym: None,
        xDlClose: None,
        xRandomness: Some(randomness),
        xSleep: Some(sleep),
        xCurrentTime: Some(current_time),
        xGetLastError: Some(last_error),
        xCurrentTimeInt64: Some(current_time_int64),
        xSetSystemCall: None,
        xGetSystemCall: None,
        xNextSystemCall: None,
    }));
    // Without its count of bytes SQLite's allocator needs no lock, which tests in parallel would wait for. Whoever used
    // SQLite before has it keep the count.
    // SAFETY: this option takes one integer.
    unsafe { ffi::sqlite3_config(ffi::SQLITE_CONFIG_MEMSTATUS, 0 as c_int) };
    // SAFETY: the table lives for ever, and every function in it has the signature SQLite calls it with.
    let code = unsafe { ffi::sqlite3_vfs_register(vfs, 0) };
    assert_eq!(code, ffi::SQLITE_OK, "the file system of the tests cannot be registered");
    "crashfs"
});

static METHODS: sqlite3_io_methods = sqlite3_io_methods {
    iVersion: 2,
    xClose: Some(close),
    xRead: Some(read),
    xWrite: Some(write),
    xTruncate: Some(truncate),
    xSync: Some(sync),
    xFileSize: Some(file_size),
    xLock: Some(lock),
    xUnlock: Some(unlock),
    xCheckReservedLock: Some(check_reserved_lock),
    xFileControl: Some(file_control),
    xSectorSize: Some(sector_size),
    xDeviceCharacteristics: Some(characteristics),
    xShmMap: Some(shm_map),
    xShmLock: Some(shm_lock),
    xShmBarrier: Some(shm_barrier),
    xShmUnmap: Some(shm_unmap),
    xFetch: None,
    xUnfetch: None,
};

/// What SQLite allocates for a file; ours begins with its.
#[repr(C)]
struct File {
    base: sqlite3_file,
    handle: *mut Handle,
}

struct Handle {
    disk: Disk,
    generation: u64,
    file: u64,
    number: u64,
    path: Arc<str>,
    /// The directory is still to be synced with the next sync.
    folder_too: bool,
    delete_on_close: bool,
    read_only: bool,
    shm: Option<Arc<Shm>>,
}

/// The handle behind a file.
///
/// # Safety
/// `file` was opened by [`open`] and is not closed; SQLite does not use one file from two threads at once.
unsafe fn handle<'a>(file: *mut sqlite3_file) -> &'a mut Handle {
    unsafe { &mut *(*file.cast::<File>()).handle }
}

/// # Safety
/// A C string or null.
unsafe fn text<'a>(name: *const c_char) -> Option<&'a str> {
    if name.is_null() { None } else { unsafe { CStr::from_ptr(name) }.to_str().ok() }
}

const fn code(trouble: Trouble, otherwise: c_int) -> c_int {
    match trouble {
        Trouble::Full => ffi::SQLITE_FULL,
        Trouble::ReadOnly => ffi::SQLITE_READONLY,
        Trouble::Io | Trouble::Missing | Trouble::Off => otherwise,
    }
}

// ---- the file system --------------------------------------------------------------------------------------------

unsafe extern "C" fn open(
    _: *mut sqlite3_vfs,
    name: ffi::sqlite3_filename,
    file: *mut sqlite3_file,
    flags: c_int,
    out: *mut c_int,
) -> c_int {
    // SAFETY: SQLite gives `szOsFile` bytes, a name that lives as long as the file, and a place for flags or null.
    unsafe {
        (*file).pMethods = std::ptr::null();
        let Some(name) = text(name) else { return ffi::SQLITE_CANTOPEN };
        match open_named(name, flags) {
            Ok(opened) => {
                if !out.is_null() {
                    *out = if opened.read_only {
                        (flags & !(ffi::SQLITE_OPEN_READWRITE | ffi::SQLITE_OPEN_CREATE)) | ffi::SQLITE_OPEN_READONLY
                    } else {
                        flags
                    };
                }
                (*file.cast::<File>()).handle = Box::into_raw(Box::new(opened));
                (*file).pMethods = &raw const METHODS;
                ffi::SQLITE_OK
            }
            Err(Trouble::Io) => ffi::SQLITE_IOERR,
            Err(_) => ffi::SQLITE_CANTOPEN,
        }
    }
}

fn open_named(name: &str, flags: c_int) -> Result<Handle, Trouble> {
    let (disk, path) = Disk::of(name).ok_or(Trouble::Missing)?;
    let path: Arc<str> = Arc::from(path);
    let has = |flag: c_int| flags & flag != 0;
    let mut state = disk.state();
    let generation = state.generation;
    state.live(generation)?;
    let file = match state.model.file(&path) {
        Some(_) if has(ffi::SQLITE_OPEN_EXCLUSIVE) => return Err(Trouble::Missing),
        Some(file) => file,
        None if has(ffi::SQLITE_OPEN_CREATE) => state.create(Arc::clone(&path))?,
        None => return Err(Trouble::Missing),
    };
    let number = state.handle();
    let read_only = !has(ffi::SQLITE_OPEN_READWRITE) || state.is_read_only();
    drop(state);
    let journals = ffi::SQLITE_OPEN_MAIN_JOURNAL | ffi::SQLITE_OPEN_SUPER_JOURNAL | ffi::SQLITE_OPEN_WAL;
    Ok(Handle {
        disk,
        generation,
        file,
        number,
        path,
        folder_too: has(ffi::SQLITE_OPEN_CREATE) && has(journals),
        delete_on_close: has(ffi::SQLITE_OPEN_DELETEONCLOSE),
        read_only,
        shm: None,
    })
}

unsafe extern "C" fn delete(_: *mut sqlite3_vfs, name: *const c_char, sync_folder: c_int) -> c_int {
    // SAFETY: SQLite gives a C string.
    let Some((disk, path)) = (unsafe { text(name) }).and_then(Disk::of) else { return ffi::SQLITE_IOERR_DELETE };
    let mut state = disk.state();
    if state.model.file(path).is_none() {
        return ffi::SQLITE_IOERR_DELETE_NOENT;
    }
    if let Err(trouble) = state.change(Op::Delete { path: Arc::from(path) }) {
        return code(trouble, ffi::SQLITE_IOERR_DELETE);
    }
    if sync_folder != 0
        && let Err(trouble) = state.change(Op::SyncFolder { folder: Arc::from(folder_of(path)) })
    {
        return code(trouble, ffi::SQLITE_IOERR_DIR_FSYNC);
    }
    ffi::SQLITE_OK
}

unsafe extern "C" fn access(_: *mut sqlite3_vfs, name: *const c_char, flags: c_int, out: *mut c_int) -> c_int {
    // SAFETY: SQLite gives a C string and a place for the answer.
    unsafe {
        *out = 0;
        let Some((disk, path)) = text(name).and_then(Disk::of) else { return ffi::SQLITE_OK };
        let state = disk.state();
        if state.live(state.generation).is_err() {
            return ffi::SQLITE_IOERR_ACCESS;
        }
        let len = state.model.file(path).and_then(|file| state.model.content(file)).map(Content::len);
        // As in os_unix.c an empty file does not count as being there.
        let there = if flags == ffi::SQLITE_ACCESS_EXISTS { len.is_some_and(|len| len > 0) } else { len.is_some() };
        *out = c_int::from(there && (flags != ffi::SQLITE_ACCESS_READWRITE || !state.is_read_only()));
    }
    ffi::SQLITE_OK
}

unsafe extern "C" fn full_pathname(_: *mut sqlite3_vfs, name: *const c_char, size: c_int, out: *mut c_char) -> c_int {
    // SAFETY: SQLite gives a C string and `size` bytes for the answer.
    unsafe {
        let bytes = CStr::from_ptr(name).to_bytes_with_nul();
        if bytes.len() > size as usize {
            return ffi::SQLITE_CANTOPEN;
        }
        std::ptr::copy_nonoverlapping(bytes.as_ptr().cast(), out, bytes.len());
    }
    ffi::SQLITE_OK
}

unsafe extern "C" fn randomness(_: *mut sqlite3_vfs, size: c_int, out: *mut c_char) -> c_int {
    let mut dice = crate::Dice::new(1);
    for place in 0..usize::try_from(size).unwrap_or(0) {
        // SAFETY: SQLite gives `size` bytes.
        unsafe { *out.add(place) = dice.bits() as c_char };
    }
    size
}

unsafe extern "C" fn sleep(_: *mut sqlite3_vfs, micros: c_int) -> c_int {
    std::thread::yield_now();
    micros
}

/// The evening of the first day of the contract, in milliseconds of the Julian day.
const NOON: i64 = 212_656_276_800_000;

unsafe extern "C" fn current_time(_: *mut sqlite3_vfs, out: *mut f64) -> c_int {
    // SAFETY: SQLite gives a place for the answer.
    unsafe { *out = NOON as f64 / 86_400_000.0 };
    ffi::SQLITE_OK
}

unsafe extern "C" fn current_time_int64(_: *mut sqlite3_vfs, out: *mut ffi::sqlite3_int64) -> c_int {
    // SAFETY: SQLite gives a place for the answer.
    unsafe { *out = NOON };
    ffi::SQLITE_OK
}

unsafe extern "C" fn last_error(_: *mut sqlite3_vfs, _: c_int, _: *mut c_char) -> c_int {
    0
}

// ---- a file -----------------------------------------------------------------------------------------------------

unsafe extern "C" fn close(file: *mut sqlite3_file) -> c_int {
    // SAFETY: SQLite closes an open file once.
    let closed = unsafe { Box::from_raw((*file.cast::<File>()).handle) };
    if let Some(shm) = &closed.shm {
        shm.leave(closed.number);
    }
    let mut state = closed.disk.state();
    if state.live(closed.generation).is_ok() {
        if let Some(locks) = state.locks.get_mut(&closed.file) {
            locks.remove(&closed.number);
        }
        if closed.delete_on_close {
            let _ = state.change(Op::Delete { path: Arc::clone(&closed.path) });
        }
    }
    ffi::SQLITE_OK
}

unsafe extern "C" fn read(file: *mut sqlite3_file, out: *mut c_void, size: c_int, at: ffi::sqlite3_int64) -> c_int {
    // SAFETY: see `handle`; SQLite gives `size` bytes.
    let (own, out) =
        unsafe { (handle(file), std::slice::from_raw_parts_mut(out.cast::<u8>(), usize::try_from(size).unwrap_or(0))) };
    let mut state = own.disk.state();
    if state.live(own.generation).and_then(|()| state.reading()).is_err() {
        return ffi::SQLITE_IOERR_READ;
    }
    let at = usize::try_from(at).unwrap_or(usize::MAX);
    let found = state.model.content(own.file).map_or(0, |content| content.read(at, out));
    if found < out.len() {
        out[found..].fill(0);
        return ffi::SQLITE_IOERR_SHORT_READ;
    }
    ffi::SQLITE_OK
}

fn change(own: &Handle, op: Op, otherwise: c_int) -> c_int {
    let mut state = own.disk.state();
    match state.live(own.generation).and_then(|()| state.change(op)) {
        Ok(()) => ffi::SQLITE_OK,
        Err(trouble) => code(trouble, otherwise),
    }
}

unsafe extern "C" fn write(file: *mut sqlite3_file, data: *const c_void, size: c_int, at: ffi::sqlite3_int64) -> c_int {
    // SAFETY: see `handle`; SQLite gives `size` bytes.
    let (own, data) =
        unsafe { (handle(file), std::slice::from_raw_parts(data.cast::<u8>(), usize::try_from(size).unwrap_or(0))) };
    let at = usize::try_from(at).unwrap_or(0);
    change(own, Op::Write { file: own.file, at, data: Arc::from(data) }, ffi::SQLITE_IOERR_WRITE)
}

unsafe extern "C" fn truncate(file: *mut sqlite3_file, len: ffi::sqlite3_int64) -> c_int {
    // SAFETY: see `handle`.
    let own = unsafe { handle(file) };
    change(own, Op::Resize { file: own.file, len: usize::try_from(len).unwrap_or(0) }, ffi::SQLITE_IOERR_TRUNCATE)
}

unsafe extern "C" fn sync(file: *mut sqlite3_file, _: c_int) -> c_int {
    // SAFETY: see `handle`.
    let own = unsafe { handle(file) };
    let done = change(own, Op::Sync { file: own.file }, ffi::SQLITE_IOERR_FSYNC);
    if done != ffi::SQLITE_OK {
        // As in os_unix.c, whatever the reason.
        return ffi::SQLITE_IOERR_FSYNC;
    }
    if !own.folder_too {
        return ffi::SQLITE_OK;
    }
    own.folder_too = false;
    let folder = Arc::from(folder_of(&own.path));
    change(own, Op::SyncFolder { folder }, ffi::SQLITE_IOERR_DIR_FSYNC)
}

unsafe extern "C" fn file_size(file: *mut sqlite3_file, out: *mut ffi::sqlite3_int64) -> c_int {
    // SAFETY: see `handle`; SQLite gives a place for the answer.
    let own = unsafe { handle(file) };
    let state = own.disk.state();
    if state.live(own.generation).is_err() {
        return ffi::SQLITE_IOERR_FSTAT;
    }
    let len = state.model.content(own.file).map_or(0, Content::len);
    // SAFETY: as above.
    unsafe { *out = i64::try_from(len).unwrap_or(i64::MAX) };
    ffi::SQLITE_OK
}

unsafe extern "C" fn lock(file: *mut sqlite3_file, wanted: c_int) -> c_int {
    // SAFETY: see `handle`.
    let own = unsafe { handle(file) };
    let mut state = own.disk.state();
    if state.live(own.generation).is_err() {
        return ffi::SQLITE_IOERR_LOCK;
    }
    let locks = state.locks.entry(own.file).or_default();
    let others = locks.iter().filter(|(number, _)| **number != own.number).map(|(_, level)| *level).max();
    let (others, held) = (others.unwrap_or(0), locks.get(&own.number).copied().unwrap_or(0));
    let (granted, outcome) = match wanted {
        _ if held >= wanted => (held, ffi::SQLITE_OK),
        ffi::SQLITE_LOCK_SHARED if others < ffi::SQLITE_LOCK_PENDING => (wanted, ffi::SQLITE_OK),
        ffi::SQLITE_LOCK_RESERVED if others < ffi::SQLITE_LOCK_RESERVED => (wanted, ffi::SQLITE_OK),
        ffi::SQLITE_LOCK_EXCLUSIVE if others == 0 => (wanted, ffi::SQLITE_OK),
        ffi::SQLITE_LOCK_EXCLUSIVE if others == ffi::SQLITE_LOCK_SHARED => (ffi::SQLITE_LOCK_PENDING, ffi::SQLITE_BUSY),
        _ => (held, ffi::SQLITE_BUSY),
    };
    locks.insert(own.number, granted);
    outcome
}

unsafe extern "C" fn unlock(file: *mut sqlite3_file, level: c_int) -> c_int {
    // SAFETY: see `handle`.
    let own = unsafe { handle(file) };
    let mut state = own.disk.state();
    if state.live(own.generation).is_ok()
        && let Some(held) = state.locks.entry(own.file).or_default().get_mut(&own.number)
    {
        *held = (*held).min(level);
    }
    ffi::SQLITE_OK
}

unsafe extern "C" fn check_reserved_lock(file: *mut sqlite3_file, out: *mut c_int) -> c_int {
    // SAFETY: see `handle`; SQLite gives a place for the answer.
    let own = unsafe { handle(file) };
    let state = own.disk.state();
    let reserved =
        state.locks.get(&own.file).is_some_and(|locks| locks.values().any(|l| *l >= ffi::SQLITE_LOCK_RESERVED));
    // SAFETY: as above.
    unsafe { *out = c_int::from(reserved) };
    ffi::SQLITE_OK
}

/// Whether the disk is to swallow this pragma.
///
/// # Safety
/// `file` as for [`handle`], `argument` as `SQLITE_FCNTL_PRAGMA` has it: an answer, a name and a value or null.
unsafe fn is_swallowed(file: *mut sqlite3_file, argument: *mut c_void) -> bool {
    let (own, words) = unsafe { (handle(file), argument.cast::<*const c_char>()) };
    let (name, value) = unsafe { (text(*words.add(1)), text(*words.add(2))) };
    let pragma = format!("{}={}", name.unwrap_or_default(), value.unwrap_or_default()).to_ascii_lowercase();
    own.disk.state().deaf.contains(&pragma)
}

unsafe extern "C" fn file_control(file: *mut sqlite3_file, op: c_int, argument: *mut c_void) -> c_int {
    match op {
        ffi::SQLITE_FCNTL_HAS_MOVED => {
            // SAFETY: this control has an integer for its argument.
            unsafe { *argument.cast::<c_int>() = 0 };
            ffi::SQLITE_OK
        }
        // SAFETY: this control has these arguments.
        ffi::SQLITE_FCNTL_PRAGMA if unsafe { is_swallowed(file, argument) } => ffi::SQLITE_OK,
        ffi::SQLITE_FCNTL_SIZE_HINT => ffi::SQLITE_OK,
        _ => ffi::SQLITE_NOTFOUND,
    }
}

unsafe extern "C" fn sector_size(_: *mut sqlite3_file) -> c_int {
    4096
}

unsafe extern "C" fn characteristics(_: *mut sqlite3_file) -> c_int {
    ffi::SQLITE_IOCAP_POWERSAFE_OVERWRITE | ffi::SQLITE_IOCAP_SUBPAGE_READ
}

// ---- shared memory ----------------------------------------------------------------------------------------------

unsafe extern "C" fn shm_map(
    file: *mut sqlite3_file,
    region: c_int,
    size: c_int,
    make: c_int,
    out: *mut *mut c_void,
) -> c_int {
    // SAFETY: see `handle`; SQLite gives a place for the answer.
    let own = unsafe { handle(file) };
    unsafe { *out = std::ptr::null_mut() };
    let shm = match &own.shm {
        Some(shm) => Arc::clone(shm),
        None => {
            let mut state = own.disk.state();
            if state.live(own.generation).is_err() {
                return ffi::SQLITE_IOERR_SHMOPEN;
            }
            let shm = Arc::clone(state.shms.entry(own.file).or_default());
            own.shm = Some(Arc::clone(&shm));
            shm
        }
    };
    let (region, size) = (usize::try_from(region).unwrap_or(0), usize::try_from(size).unwrap_or(0));
    if let Some(address) = shm.region(region, size, make != 0) {
        // SAFETY: as above.
        unsafe { *out = address.cast() };
    }
    ffi::SQLITE_OK
}

unsafe extern "C" fn shm_lock(file: *mut sqlite3_file, first: c_int, count: c_int, flags: c_int) -> c_int {
    // SAFETY: see `handle`.
    let own = unsafe { handle(file) };
    let live = own.disk.state().live(own.generation);
    let Some(shm) = &own.shm else { return ffi::SQLITE_IOERR_SHMLOCK };
    let (first, count) = (usize::try_from(first).unwrap_or(0), usize::try_from(count).unwrap_or(0));
    if flags & ffi::SQLITE_SHM_UNLOCK != 0 {
        shm.unlock(own.number, first, count);
        return ffi::SQLITE_OK;
    }
    if live.is_err() {
        return ffi::SQLITE_IOERR_SHMLOCK;
    }
    let got = shm.lock(own.number, first, count, flags & ffi::SQLITE_SHM_EXCLUSIVE != 0);
    if got { ffi::SQLITE_OK } else { ffi::SQLITE_BUSY }
}

unsafe extern "C" fn shm_barrier(_: *mut sqlite3_file) {
    std::sync::atomic::fence(std::sync::atomic::Ordering::SeqCst);
}

unsafe extern "C" fn shm_unmap(file: *mut sqlite3_file, delete: c_int) -> c_int {
    // SAFETY: see `handle`.
    let own = unsafe { handle(file) };
    if let Some(shm) = own.shm.take() {
        shm.leave(own.number);
    }
    if delete != 0 {
        let mut state = own.disk.state();
        if state.live(own.generation).is_ok() {
            state.shms.remove(&own.file);
        }
    }
    ffi::SQLITE_OK
}

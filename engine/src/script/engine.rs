//! The one hardened script engine that all scripts share, and its limits.
//!
//! What it isolates are accidents: an endless loop, a runaway string, a misread payload. Time,
//! memory and operations are checked between operations, inside the server's own process; a
//! native operation runs to its end first. A determined author of scripts could still slow the
//! server down, so whoever may edit an app folder must be trusted as its operator is.

use std::{
    collections::BTreeMap,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{Arc, LazyLock},
};

use rhai::{
    AST, CallFnOptions, Dynamic, Engine, FuncArgs, OptimizationLevel, Scope,
    packages::{
        ArithmeticPackage, BasicArrayPackage, BasicIteratorPackage, BasicMapPackage,
        BasicMathPackage, BasicStringPackage, LanguageCorePackage, LogicPackage, MoreStringPackage,
        Package,
    },
};

use super::{
    failure::{Ending, Fallible, fault},
    json_functions, later, meter, natives, secret, web,
};

/// Operations one call may run.
pub(super) const MAX_OPERATIONS: u64 = 500_000;
/// Levels of function calls. With the expression depth it decides how much stack a script can
/// use: the worst script measured takes about 1 MB of a debug build's stack.
pub(super) const MAX_CALLS: usize = 8;
/// Nesting of expressions and blocks. One array or map literal counts several times.
const MAX_EXPRESSION_DEPTH: usize = 32;
/// Bytes of a string.
pub(super) const MAX_STRING: usize = 64 << 10;
/// Elements of an array, members of a map.
pub(super) const MAX_ITEMS: usize = 1_000;
/// Variables in scope at one time.
const MAX_VARIABLES: usize = 64;
/// Functions of one script.
const MAX_FUNCTIONS: usize = 32;

/// Top-level constants of a script, visible in all of its functions.
pub(super) type Constants = Arc<BTreeMap<String, Dynamic>>;

/// The engine. It holds no state of any script or call.
pub(super) static ENGINE: LazyLock<Engine> = LazyLock::new(build);

fn build() -> Engine {
    let mut engine = Engine::new_raw();
    packages(&mut engine);
    limits(&mut engine);
    engine
        .on_progress(meter::check)
        .on_print(meter::print)
        .on_debug(|text, _, _| meter::print(text));
    #[expect(deprecated, reason = "the function is stable; the mark only announces changes")]
    engine.on_var(|name, index, context| {
        // An index means a local variable, which may well shadow a constant.
        let constants = (index == 0).then(|| context.tag().read_lock::<Constants>()).flatten();
        Ok(constants.and_then(|constants| constants.get(name).cloned()))
    });
    natives::register(&mut engine);
    json_functions::register(&mut engine);
    later::register(&mut engine);
    secret::register(&mut engine);
    web::register(&mut engine);
    engine.register_fn("skip", |reason: &str| {
        Err::<(), _>(Ending::Skipped(reason.to_owned()).raise())
    });
    engine
}

/// The standard library without bytes, bits and reflection of functions.
fn packages(engine: &mut Engine) {
    LanguageCorePackage::new().register_into_engine(engine);
    ArithmeticPackage::new().register_into_engine(engine);
    LogicPackage::new().register_into_engine(engine);
    BasicStringPackage::new().register_into_engine(engine);
    MoreStringPackage::new().register_into_engine(engine);
    BasicIteratorPackage::new().register_into_engine(engine);
    BasicArrayPackage::new().register_into_engine(engine);
    BasicMapPackage::new().register_into_engine(engine);
    BasicMathPackage::new().register_into_engine(engine);
}

/// Every limit by name: the defaults differ between debug and release builds.
fn limits(engine: &mut Engine) {
    engine
        .set_max_operations(MAX_OPERATIONS)
        .set_max_call_levels(MAX_CALLS)
        .set_max_expr_depths(MAX_EXPRESSION_DEPTH, MAX_EXPRESSION_DEPTH)
        .set_max_string_size(MAX_STRING)
        .set_max_array_size(MAX_ITEMS)
        .set_max_map_size(MAX_ITEMS)
        .set_max_variables(MAX_VARIABLES)
        .set_max_functions(MAX_FUNCTIONS)
        .set_strict_variables(true)
        .set_fail_on_invalid_map_property(false)
        // The optimiser has a way to panic on an assignment to a constant.
        .set_optimization_level(OptimizationLevel::None)
        // A closure can hold a closure that holds a closure: dropping a long enough chain
        // overflows the stack, and no limit counts them. Functions are passed by name instead.
        .set_allow_anonymous_fn(false);
    for keyword in ["eval", "Fn", "call", "curry", "is_shared"] {
        engine.disable_symbol(keyword);
    }
}

/// Calls one function of a compiled script under the limits.
///
/// A panic inside the engine is a defect of the engine; it ends this call only.
pub(super) fn call(
    ast: &AST,
    constants: &Constants,
    function: &str,
    arguments: impl FuncArgs,
) -> Fallible<Dynamic> {
    let options = CallFnOptions::new().eval_ast(false).with_tag(Arc::clone(constants));
    catch_unwind(AssertUnwindSafe(|| {
        ENGINE.call_fn_with_options(options, &mut Scope::new(), ast, function, arguments)
    }))
    .unwrap_or_else(|_| Err(fault("the script engine failed on it; please report this script")))
}

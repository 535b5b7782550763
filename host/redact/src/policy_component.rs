//! A policy as a component: it exports the interface that the redactor imports.

use wasm_encoder::{
    Alias, CanonicalFunctionSection, CanonicalOption, CodeSection, Component,
    ComponentAliasSection, ComponentExportKind, ComponentExportSection, ComponentInstanceSection,
    ComponentTypeSection, ComponentValType, ConstExpr, DataSection, ExportKind, ExportSection,
    Function, FunctionSection, InstanceSection, MemorySection, MemoryType, Module, ModuleArg,
    ModuleSection, PrimitiveValType, TypeSection, ValType,
};

/// The interface that the redactor imports.
const INTERFACE: &str = "partway:redactor/policy@0.1.0";

const PAGE: usize = 64 * 1024;

/// A component whose `policy.get` returns this text.
pub(crate) fn policy_component(policy: &str) -> Vec<u8> {
    let mut instances = InstanceSection::new();
    let no_arguments: [(&str, ModuleArg); 0] = [];
    instances.instantiate(0, no_arguments);
    let mut aliases = ComponentAliasSection::new();
    for (name, kind) in [("memory", ExportKind::Memory), ("get", ExportKind::Func)] {
        aliases.alias(Alias::CoreInstanceExport { instance: 0, kind, name });
    }
    let mut types = ComponentTypeSection::new();
    let no_parameters: [(&str, ComponentValType); 0] = [];
    let text = ComponentValType::Primitive(PrimitiveValType::String);
    types.function().params(no_parameters).result(Some(text));
    let mut functions = CanonicalFunctionSection::new();
    functions.lift(0, 0, [CanonicalOption::UTF8, CanonicalOption::Memory(0)]);
    let mut interfaces = ComponentInstanceSection::new();
    interfaces.export_items([("get", ComponentExportKind::Func, 0)]);
    let mut exports = ComponentExportSection::new();
    exports.export(INTERFACE, ComponentExportKind::Instance, 0, None);
    let mut component = Component::new();
    component
        .section(&ModuleSection(&module(policy)))
        .section(&instances)
        .section(&aliases)
        .section(&types)
        .section(&functions)
        .section(&interfaces)
        .section(&exports);
    component.finish()
}

/// A module with the text in its memory, and a function that returns the address of the text's address and length.
fn module(text: &str) -> Module {
    let length = text.len();
    let pages = (8 + length).div_ceil(PAGE) as u64;
    let mut types = TypeSection::new();
    types.ty().function([], [ValType::I32]);
    let mut functions = FunctionSection::new();
    functions.function(0);
    let mut memories = MemorySection::new();
    memories.memory(MemoryType {
        minimum: pages,
        maximum: Some(pages),
        memory64: false,
        shared: false,
        page_size_log2: None,
    });
    let mut exports = ExportSection::new();
    exports.export("memory", ExportKind::Memory, 0);
    exports.export("get", ExportKind::Func, 0);
    let mut code = CodeSection::new();
    let mut get = Function::new([]);
    get.instructions().i32_const(0).end();
    code.function(&get);
    // The text begins after its own address and length.
    let mut memory = 8_u32.to_le_bytes().to_vec();
    memory.extend((length as u32).to_le_bytes());
    memory.extend(text.as_bytes());
    let mut data = DataSection::new();
    data.active(0, &ConstExpr::i32_const(0), memory);
    let mut module = Module::new();
    module
        .section(&types)
        .section(&functions)
        .section(&memories)
        .section(&exports)
        .section(&code)
        .section(&data);
    module
}

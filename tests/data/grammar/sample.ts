import type { Reader } from "./reader"
import { type Writer, open as openFile } from './files'

export type Shape =
  | { kind: "circle"; radius: number }
  | { kind: "square"; side: number; readonly id?: string }
type Keys<T extends object, K extends keyof T = keyof T> = { [P in K]-?: T[P] extends infer U ? U : never }

export interface Store<T> extends Reader, Iterable<T> {
  readonly size: number
  get(key: string): T | undefined
  new (initial?: Map<string, T>): Store<T>
  [index: number]: T
  map<U>(callback: (value: T) => U): U[]
}

enum Level { Low = 1, High = Low << 2, Text = "text" }
declare module "legacy" { export const version: string }
namespace Geometry.Plane { export const origin = [0, 0] as const }

abstract class Base<T = unknown> implements Disposable {
  static readonly zero = 0
  private cache = new Map<string, T>()
  constructor(protected readonly name: string, public level: Level = Level.Low) { }
  abstract area(shape: Shape): number
  protected async load(this: Base<T>, key: string): Promise<T> {
    const found = this.cache.get(key)
    if (found !== undefined) return found!
    throw new Error(`no ${key} in ${this.name}`)
  }
}

export function area(shape: Shape): number
export function area(shape: Shape, scale = 1): number {
  switch (shape.kind) {
    case "circle": return Math.PI * shape.radius ** 2 * scale
    case "square": { return shape.side * shape.side }
  }
}
function isCircle(s: Shape): s is Extract<Shape, { kind: "circle" }> { return s.kind === "circle" }
const first = <T,>(items: readonly T[]): T => items[0] satisfies T
let tuple: [number, string?, ...boolean[]] = [1, "a", true]
const any = <any>tuple, fn = async (a: number, b?: string): Promise<void> => { await null }
if (any < 3 && fn > any) label(tuple as unknown as number[])

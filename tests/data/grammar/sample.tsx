import * as React from "react"

interface Props<T> { items: T[]; render?: (item: T) => React.ReactNode; label: string }

export function Table<T extends { id: string }>({ items, render, label }: Props<T>): JSX.Element {
  const [chosen, choose] = React.useState<string | null>(null)
  const body = React.useMemo(() => items.filter((i) => i.id !== chosen), [items, chosen])
  return (
    <table aria-label={label} onClick={(e: React.MouseEvent) => choose(null)}>
      <tbody>
        {body.map((item) => (
          <tr key={item.id}>
            <td>{render ? render(item) : item.id}</td>
            <td><button onClick={() => choose(item.id as string)}>Pick {item.id}</button></td>
          </tr>
        ))}
      </tbody>
    </table>
  )
}
export default React.memo(Table) as typeof Table

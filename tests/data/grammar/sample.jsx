import React from "react"

export function List({ items, onPick, ...props }) {
  const [open, setOpen] = React.useState(false)
  if (!items.length) return <p className='empty'>Nothing &amp; nobody</p>
  return (
    <ul {...props} data-open={open}>
      {items.map((item) => (
        <li key={item.id} onClick={() => onPick(item)}>
          <>
            {item.name}: {`${item.count} left`}
          </>
          <input type="checkbox" disabled />
          {/* a comment */}
          {item.done && <Mark.Done size={12} />}
        </li>
      ))}
    </ul>
  )
}

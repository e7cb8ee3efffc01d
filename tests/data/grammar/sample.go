// Package stock keeps items.
package stock

import (
	"errors"
	"fmt"
	. "strings"
)

const (
	low Level = iota
	high
	Mask = 0xFF &^ 0b11 | 1<<3
)

type Level int

type Item[T any] struct {
	Name  string `json:"name,omitempty"`
	Price float64
	next  *Item[T]
	hooks map[string]func(a, b int) (int, error)
}

type Store interface {
	fmt.Stringer
	Get(name string) (*Item[int], bool)
	~int | ~string
}

var errMissing = errors.New("missing")

func (s *Item[T]) Total(counts ...int) (sum float64, err error) {
	defer func() {
		if r := recover(); r != nil {
			err = fmt.Errorf("recovered: %v", r)
		}
	}()
	for i, c := range counts {
		if c < 0 {
			continue
		} else if c > 1e3 {
			break
		}
		sum += float64(c) * s.Price
		_ = i
	}
	switch v := any(sum).(type) {
	case float64, float32:
		fallthrough
	case nil:
		return 0, errMissing
	default:
		goto done
		_ = v
	}
done:
	return
}

func worker(in <-chan int, out chan<- string, quit chan struct{}) {
	for {
		select {
		case n, ok := <-in:
			if !ok {
				return
			}
			out <- Repeat("x", n) + `raw
string` + "\t\u00e9"
		case <-quit:
			go func(r rune) { fmt.Println(r) }('\'')
			return
		}
	}
}

func main() {
	x := []Item[int]{{Name: "a", Price: 1.5}, {Name: "b"}}
	m := map[string][]int{"one": {1, 2}, "two": x2[1:2:3]}
	var arr [3]int = [...]int{1, 2, 3}
	for range arr {
		m["one"][0]++
	}
	p := &x[0]
	p.Price, x[1].Price = -p.Price, +3i
	if f := func(a int) bool { return a >= 0 && !false }; f(1) {
		fmt.Printf("%v %d\n", p, len(arr))
	}
}

package org.example.stock;

import java.util.*;
import static java.lang.Math.max;

/** Items in stock. */
@SuppressWarnings({"unchecked", "rawtypes"})
public abstract class Sample<T extends Comparable<? super T>> implements Iterable<T>, AutoCloseable {
    private static final long LIMIT = 1_000L;
    protected final Map<String, List<T>> items = new HashMap<>();
    enum Level { LOW(1), HIGH(2) { @Override int rank() { return 3; } }; final int n; Level(int n) { this.n = n; } int rank() { return n; } }
    record Point(int x, int y) { Point { if (x < 0) throw new IllegalArgumentException("x: " + x); } }
    sealed interface Shape permits Circle {}
    static final class Circle implements Shape { double r = 1.5e-3f; }

    static { System.out.println('\u0041' + "\n"); }

    public Sample(T... initial) throws Exception {
        super();
        for (T item : initial) {
            items.computeIfAbsent(item.toString(), k -> new ArrayList<>()).add(item);
        }
    }

    public <R> Optional<R> first(java.util.function.Function<? super T, ? extends R> f) {
        int i = 0, total[] = {1, 2, 3};
        outer:
        for (int j = 0; j < total.length; j++) {
            if (j % 2 == 0) continue outer; else break;
        }
        do { i++; } while (i < 10 && !(i >= 5));
        String text = """
            Hello "you"
            """;
        var result = switch (i) {
            case 1, 2 -> "few";
            case 3 -> { yield "some"; }
            default -> i > 100 ? "many" : null;
        };
        Object o = result;
        if (o instanceof String s && s.length() > 1) { assert s != null : "never"; }
        try (var in = new Scanner(System.in)) {
            synchronized (this) { total[0] >>>= 1; }
        } catch (IllegalStateException | NullPointerException e) {
            throw e;
        } finally {
            i = ~i ^ 0xFF;
        }
        return items.values().stream().flatMap(List::stream).map((T x) -> (R) f.apply(x)).findFirst();
    }

    @Override public abstract Iterator<T> iterator();
    int[][] grid = new int[3][];
}

using System;
using System.Collections.Generic;
using static System.Math;

namespace Stock.Items
{
    [Serializable, Obsolete("old")]
    public abstract partial class Store<T> : IEnumerable<T> where T : class, new()
    {
        private readonly Dictionary<string, List<T>> items = new();
        public event EventHandler? Changed;
        public int Count { get; private set; } = 0;
        public T this[int index] => items["x"][index];
        public enum Level : byte { Low = 1, High = Low << 1 }
        public record Point(int X, int Y);
        public delegate void Handler(object sender, EventArgs e);

        protected Store(string name, params T[] initial) : base()
        {
            foreach (var item in initial)
            {
                if (item is null) continue;
                else if (item is string { Length: > 3 } s && s != "x") break;
                Add(item);
            }
        }

        public static Store<T> operator +(Store<T> a, Store<T> b) => a;

        public virtual async Task<int> Load(string path, int max = 10, CancellationToken token = default)
        {
            using var file = File.OpenRead(path);
            try
            {
                await Task.Delay(1_000, token).ConfigureAwait(false);
                var text = $"Hello {path,10:x} {(max > 3 ? "many" : "few")}" + @"c:\dir" + '\n';
                for (int i = 0; i < max; i++) { Count += i % 2; }
            }
            catch (IOException e) when (e.HResult == 0x1F)
            {
                throw new InvalidOperationException(nameof(path), e);
            }
            finally { lock (items) { items.Clear(); } }
            var query = from x in items.Values where x.Count > 0 orderby x.Count descending select new { x, n = x.Count };
            int? y = null;
            y ??= items?.Count ?? 1;
            Func<int, int> f = (a) => a * 2;
            var result = max switch { 1 => "one", > 5 and < 9 => "some", _ => throw new Exception() };
            do { y--; } while (y > 0);
            switch (y) { case 1: goto default; case 2 when max > 3: return 2; default: break; }
            return (int)Abs(-1.5e3) + sizeof(int) + f(3);
        }
    }
}

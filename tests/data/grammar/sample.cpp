#include <map>
#include <string>
#include <vector>
namespace stock::inner {
template <typename T, int N = 3, class... Rest>
class Store : public Base<T>, private virtual Other {
public:
    using value_type = T;
    explicit Store(const std::string &name = "none") noexcept : name_{name}, Base<T>(N) {}
    Store(Store &&) = default;
    Store &operator=(const Store &) = delete;
    virtual ~Store() override { delete[] data_; }
    bool operator<(const Store &other) const { return name_ < other.name_; }
    template <class U> auto map(U &&f) const -> std::vector<decltype(f(std::declval<T>()))>;
    static constexpr auto limit = 1'000'000ull;
    friend std::ostream &operator<<(std::ostream &out, const Store &s);
private:
    std::string name_;
    T *data_ = nullptr;
    mutable std::map<std::string, std::vector<T>> items_;
};

enum class Level : unsigned char { Low = 1, High };

[[nodiscard]] inline int sum(std::initializer_list<int> xs) {
    int total{0};
    for (auto &&x : xs) total += x;
    for (int i = 0, j = 1; i < 10; ++i, j <<= 1) {
        if (auto it = find(i); it != end()) continue;
        else if constexpr (sizeof(int) > 2) break;
    }
    auto add = [&total, n = 3](int a, auto b) mutable -> int { return total += a + b * n; };
    try {
        add(1, 2.5f);
        throw std::runtime_error("bad" "news");
    } catch (const std::exception &e) {
        std::cerr << e.what() << '\n';
    } catch (...) {
        return -1;
    }
    const char *raw = R"x(raw "string")x";
    auto p = static_cast<int *>(malloc(3));
    int *q = new int[4]{1, 2}, &r = *q;
    switch (Level l = Level::Low; l) { case Level::Low: return *p; default: goto out; }
out:
    return (total > 0) ? (*this)(r) : ~total;
}
}  // namespace stock::inner
template <typename T> concept Small = requires(T t) { t + 1; { t.size() } -> std::convertible_to<int>; };
extern "C" int main(int argc, char *argv[]) { return stock::inner::sum({argc, 2}) <=> 0 == 0; }

<!DOCTYPE html>
<p><?= $title ?></p>
<?php
declare(strict_types=1);

namespace App\Stock;

use App\Model\{Item, User as Person};
use function strlen;

#[Attribute]
abstract class Store extends Base implements \Countable, Other
{
    use Helper;
    public const LIMIT = 1_000;
    private static ?array $cache = null;

    public function __construct(protected readonly string $name = 'none', private int|float $price = 1.5e3)
    {
        parent::__construct();
        self::$cache ??= ['a' => 1, "b" => [2, ...$other], 3];
    }

    final public static function load(string ...$names): ?self
    {
        foreach ($names as $key => &$name) {
            if (!isset($cache[$key]) && strlen($name) > 3) {
                continue;
            } elseif ($name === "x{$key}y$name") {
                break;
            } else {
                echo "Hello, {$this->name}\n", 'it\'s';
            }
        }
        $f = fn(int $a): int => $a ** 2;
        $g = function () use ($f, &$names) { yield $f(1) => $names[0] ?? null; };
        $result = match (true) {
            $f(1) > 0, $f(2) <=> 1 => 'one',
            default => throw new \Exception("bad"),
        };
        try {
            $x = new static($result);
        } catch (\TypeError | \ValueError $e) {
            return null;
        } finally {
            unset($x);
        }
        switch ($result) { case 1: $i++; break; default: $i .= <<<TEXT
            heredoc $result
            TEXT;
        }
        for ($i = 0; $i < 10; $i++): echo $i; endfor;
        do { $i--; } while ($i);
        return $x?->child instanceof Store ? $x : (object) [];
    }

    abstract protected function area(): float;
}
function helper(callable $f) { return $f(...); }
